"""A saved matcher that was damaged or forged is refused; it never answers, and nothing of it runs."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.claims.coding import Matcher
from headwater.errors import Refusal

REFERENCE = pa.table(
    {"code": ["1", "2", "3", "4"], "name": ["阿莫西林胶囊", "阿奇霉素片", "头孢呋辛酯片", "氯化钠注射液"]}
)
NAN = math.nan
Folder = Callable[[Path], None]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.fit(REFERENCE, kind="drug")


def plain(change: Callable[[dict[str, Any]], Any]) -> Folder:
    def spoil(folder: Path) -> None:
        known = json.loads((folder / "matcher.json").read_text(encoding="utf-8"))
        changed = change(known)
        (folder / "matcher.json").write_text(json.dumps(known if changed is None else changed), encoding="utf-8")

    return spoil


def given(**values: Any) -> Folder:
    return plain(lambda known: known.update(values))


def table(name: str, change: Callable[[pa.Table], pa.Table]) -> Folder:
    def spoil(folder: Path) -> None:
        pq.write_table(change(pq.read_table(folder / f"{name}.parquet")), folder / f"{name}.parquet")

    return spoil


def column(table_name: str, name: str, value: Any) -> Folder:
    def change(known: pa.Table) -> pa.Table:
        return known.set_column(known.column_names.index(name), name, pa.array([value] * len(known)))

    return table(table_name, change)


SPOILT: dict[str, Folder] = {
    "no kind": plain(lambda known: known.pop("kind") and None),
    "a path as kind": given(kind="../../etc"),
    "another kind": given(kind="service"),
    "a list": plain(lambda known: [known]),
    "nan weights": plain(lambda known: known.update(weights=[NAN] * len(known["weights"]))),
    "huge weights": plain(lambda known: known.update(weights=[1e308] * len(known["weights"]))),
    "few weights": given(weights=[1.0]),
    "a number that no float holds": given(outside=10**400),
    "no number": given(outside="x"),
    "certainty beyond one": given(sound=[[0, 1], [5, 9]]),
    "falling certainty": given(sound=[[0, 1], [1, 0]]),
    "no certainty": given(sound=[]),
    "forged wording": given(wording={"judge": 1}),
    "very deep": lambda folder: (folder / "matcher.json").write_text("[" * 200_000) and None,
    "no codes": table("codes", lambda known: known.slice(0, 0)),
    "fewer codes": table("codes", lambda known: known.slice(0, 1)),
    "one code for all": column("codes", "code", "1"),
    "codes as numbers": column("codes", "code", 1),
    "no texts": table("entries", lambda known: known.drop(["text"])),
    "no strengths": table("entries", lambda known: known.drop(["value_strength"])),
    "forged strengths": column("entries", "value_strength", "mg=x"),
    "two lines": column("entries", "text", "a\nb"),
    "a code that is not there": column("entries", "code", [99]),
    "a code before the first": column("entries", "code", [-1]),
    "half a code": column("entries", "code", [0.5]),
    "no weight": column("entries", "weight", [0.0]),
    "nan as weight": column("entries", "weight", [NAN]),
    "more weights than codes": column("entries", "weight", [1.0, 1.0]),
    "no parquet": lambda folder: (folder / "entries.parquet").write_bytes(b"PAR1PAR1") and None,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_was_spoilt_is_refused(spoil: Folder, matcher: Matcher, tmp_path: Path):
    matcher.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(Refusal) as refused:
        Matcher.load(tmp_path)
    assert refused.value.code == "E-CODING-SAVED"


def test_a_whole_one_is_not(matcher: Matcher, tmp_path: Path):
    matcher.save(tmp_path)
    assert Matcher.load(tmp_path).version == matcher.version
