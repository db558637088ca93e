"""What every matcher must do, whatever its kind: find its own, tell what it does not know, be sure of no conflict."""

import re
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from headwater.checks.suite import Suite, refused, require
from headwater.claims.coding import REASONS, Matcher
from headwater.simulation.reference import diseases, items, operations

__all__ = ["CODING_SUITE", "region_reference"]

Fit: TypeAlias = Callable[[pa.Table], Matcher]
"""Fits a matcher of one kind to a reference; ``keywords["kind"]`` is the kind."""

_SEED = 3
_SOME = 60
_HOSTILE = (
    *(None, "", " ", "\t\n", "药", "片", "a", "\u200b", "\x00\x01\x02", "\x1b[31m", "????", "(((((", "0.25g", "123"),
    *("阿莫西林胶囊" * 2000, "x" * 10_000, "Амоксициллин", "أموكسيسيلين", "อะม็อกซีซิลลิน", "アモキシシリン", "💊💊💊"),
    *("a\u0301" * 400, "\ufffd\ufffe\uffff", "\U0010ffff" * 9, "ΑΒΓΔΕΖ", "한국어약품"),
)
_COLUMNS = ["code", "confidence", "decision", "reason", "alternatives"]


def region_reference(kind: str) -> pa.Table:
    """Return the simulated region's list of one kind as a bureau would supply it."""
    if kind in ("diagnosis", "operation"):
        listed = diseases() if kind == "diagnosis" else operations()
        return pa.table({"code": list(listed.code), "name": list(listed.name)})
    known = [item for item in items() if item.kind == kind]
    licence = "aprvno" if kind == "drug" else "regno"
    columns = {
        "code": [item.code for item in known],
        "name": [item.name for item in known],
        "spec": [item.spec for item in known],
        "dosform_name": [item.form for item in known],
        "material": [item.material for item in known],
        "prodentp_name": [item.maker for item in known],
        licence: [item.licence for item in known],
        "unit": [item.unit for item in known],
    }
    return pa.table(columns)


@lru_cache(maxsize=64)
def _case(fit: Fit) -> tuple[pa.Table, Matcher]:
    reference = region_reference(_kind(fit))
    return reference, fit(reference)


def _kind(fit: Fit) -> str:
    return str(fit.keywords["kind"])  # type: ignore[attr-defined]


def _some(table: pa.Table, count: int = _SOME) -> pa.Table:
    chosen = np.random.default_rng(_SEED).permutation(len(table))[:count]
    return table.take(pa.array(np.sort(chosen)))


def _alike(one: pa.Table, two: pa.Table) -> bool:
    if len(one) != len(two):
        return False
    close = np.allclose(one["confidence"].to_numpy(), two["confidence"].to_numpy(), atol=1e-9)
    plain = [name for name in _COLUMNS if name not in ("confidence", "alternatives")]
    listed = [
        [[(other["code"], other["name"], round(other["confidence"], 9)) for other in row] for row in rows]
        for rows in (one["alternatives"].to_pylist(), two["alternatives"].to_pylist())
    ]
    return close and one.select(plain).equals(two.select(plain)) and listed[0] == listed[1]


def check_own_name_finds_its_code(fit: Fit) -> None:
    """Require that each reference's own name and attributes find its code, by themselves."""
    reference, matcher = _case(fit)
    answers = matcher.match(reference)
    require(answers["code"].to_pylist() == reference["code"].to_pylist(), "a reference is not found by its own name")
    require(set(answers["decision"].to_pylist()) == {"auto"}, "a reference's own name is not sure")


def check_answers_are_well_formed(fit: Fit) -> None:
    """Require the columns promised: codes of the reference, known reasons, alternatives best first with the best."""
    reference, matcher = _case(fit)
    answers = matcher.match(pa.table({"name": [name[:-1] for name in reference["name"].to_pylist()]}))
    require(answers.column_names == _COLUMNS, "other columns")
    codes = set(reference["code"].to_pylist())
    for answer in answers.to_pylist():
        listed = answer["alternatives"]
        confidences = [other["confidence"] for other in listed]
        require(
            len(listed) <= 5 and confidences == sorted(confidences, reverse=True), "alternatives are not best first"
        )
        require(all(0 <= value <= 1 for value in [*confidences, answer["confidence"]]), "a confidence outside 0 to 1")
        require(answer["reason"] in REASONS, "a reason without words")
        none = answer["decision"] == "none"
        require(none == (answer["code"] is None), "none and a code, or a code missing")
        best = none or (answer["code"] == listed[0]["code"] and answer["code"] in codes)
        require(best, "the best is not the first alternative")


def check_same_twice(fit: Fit) -> None:
    """Require that fitting the same reference again, in another order, gives the same matcher and answers."""
    reference = _some(region_reference(_kind(fit)))
    one, two = fit(reference), fit(reference.take(pa.array(np.arange(len(reference))[::-1])))
    require(one.version == two.version, "the version depends on the order of the reference, or on chance")
    require(_alike(one.match(reference), two.match(reference)), "the answers do")


def check_saved_is_equal(fit: Fit) -> None:
    """Require that a saved and loaded matcher has the same version and says the same."""
    reference, matcher = _case(fit)
    with tempfile.TemporaryDirectory() as folder:
        matcher.save(Path(folder))
        loaded = type(matcher).load(Path(folder))
    names = pa.table({"name": [name[1:] for name in reference["name"].to_pylist()]})
    require(loaded.version == matcher.version, "another version")
    require(_alike(loaded.match(names), matcher.match(names)), "other answers")


def check_rows_do_not_matter_to_each_other(fit: Fit) -> None:
    """Require that a row's answer depends on neither its place, its neighbours nor how often it stands there."""
    reference, matcher = _case(fit)
    names = _some(reference).drop_columns(["code"])
    place = np.random.default_rng(_SEED).integers(len(names), size=3 * len(names))
    whole = matcher.match(names)
    require(
        _alike(matcher.match(names.take(pa.array(place))), whole.take(pa.array(place))), "order or repetition shows"
    )
    for row in range(0, len(names), 7):
        require(_alike(matcher.match(names.slice(row, 1)), whole.slice(row, 1)), "a neighbour shows")


def check_hostile_names_are_none(fit: Fit) -> None:
    """Require that what is no name, or one in another script, has no code, with a reason, and breaks nothing."""
    _, matcher = _case(fit)
    for answer in matcher.match(pa.table({"name": pa.array(_HOSTILE, pa.string())})).to_pylist():
        require(answer["decision"] == "none" and answer["code"] is None, "a code for what is no name")
        require(bool(answer["reason"]), "no reason")


def check_any_text_column_will_do(fit: Fit) -> None:
    """Require that large, dictionary, chunked and null columns, further columns and empty tables are read alike."""
    reference, matcher = _case(fit)
    names = _some(reference, 20).select(["name"])
    plain = matcher.match(names)
    for type_ in (pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()):
        chunks = pa.chunked_array([names["name"].combine_chunks().slice(0, 7), names["name"].combine_chunks().slice(7)])
        table = pa.table({"note": list(range(len(names))), "name": chunks.cast(type_)})
        require(_alike(matcher.match(table), plain), f"{type_} is read otherwise")
    require(matcher.match(names.slice(0, 0)).column_names == _COLUMNS, "an empty table")
    nulls = matcher.match(pa.table({"name": pa.nulls(2), "spec": pa.nulls(2)}))
    require(nulls["decision"].to_pylist() == ["none", "none"], "nulls have a code")


def check_wrong_tables_are_refused(fit: Fit) -> None:
    """Require that what is no table of names, and what is no reference, is refused."""
    _, matcher = _case(fit)
    for table in (pa.table({"title": ["x"]}), pa.table({"name": [1]}), pa.table({"name": [["x"]]}), [{"name": "x"}]):
        refused(partial(matcher.match, table), "E-CODING-TABLE")
    empty = pa.table({"code": pa.array([], pa.string()), "name": pa.array([], pa.string())})
    for reference in (empty, pa.table({"name": ["x"]}), *_lacking("code"), *_lacking("name")):
        refused(partial(fit, reference), "E-CODING-REFERENCE")


def _lacking(column: str) -> list[pa.Table]:
    whole = {"code": ["1", "2"], "name": ["阿莫西林胶囊", "胸部平片"]}
    return [pa.table({**whole, column: [whole[column][0], empty]}) for empty in (None, " ")]


def check_conflict_is_never_sure(fit: Fit) -> None:
    """Require that a row whose numbers (strength, pack, size) were changed is not coded by itself."""
    reference, matcher = _case(fit)
    seen = {number for text in _numbered(reference) for number in re.findall(r"\d+", text)}
    changed = []
    for row in reference.drop_columns(["code"]).to_pylist():
        field = "spec" if row.get("spec") else "name"
        for found in re.finditer(r"\d+", row[field]):
            other = str(int(found.group()) * 7 + 3)
            if other not in seen:
                text = row[field][: found.start()] + other + row[field][found.end() :]
                # The name may carry the specification too; then it contradicts its column, which is as bad.
                changed.append({**row, field: text})
    if changed:
        answers = matcher.match(pa.Table.from_pylist(changed))
        wrong = [row for row, said in zip(changed, answers["decision"].to_pylist(), strict=True) if said == "auto"]
        require(not wrong, f"sure of {wrong[:3]}")


def _numbered(reference: pa.Table) -> list[str]:
    return [text for name in ("name", "spec") if name in reference.column_names for text in reference[name].to_pylist()]


def check_equals_are_left_to_a_person(fit: Fit) -> None:
    """Require that of two references that read the same neither is taken, and both are shown."""
    reference = _some(region_reference(_kind(fit)), 30)
    twin = reference.slice(0, 1).set_column(0, "code", pa.array(["other"]))
    matcher = fit(pa.concat_tables([reference, twin]))
    answer = matcher.match(twin).to_pylist()[0]
    require(answer["decision"] == "review", "one of two equals is taken, or none is shown")
    shown: set[Any] = {other["code"] for other in answer["alternatives"]}
    require({"other", reference["code"][0].as_py()} <= shown, "an equal is not shown")


def check_what_is_missing_is_not_taken_for_another(fit: Fit) -> None:
    """Require that of references that were taken away, at most one in fifty is coded as something else."""
    reference = region_reference(_kind(fit))
    gone = np.random.default_rng(_SEED).random(len(reference)) < 0.4
    matcher = fit(reference.filter(pa.array(~gone)))
    decisions = matcher.match(reference.filter(pa.array(gone)))["decision"].to_pylist()
    require(decisions.count("auto") <= len(decisions) / 50, f"{decisions.count('auto')} of {len(decisions)} are sure")


CODING_SUITE: Suite[Fit] = Suite(
    "matcher",
    (
        check_own_name_finds_its_code,
        check_answers_are_well_formed,
        check_same_twice,
        check_saved_is_equal,
        check_rows_do_not_matter_to_each_other,
        check_hostile_names_are_none,
        check_any_text_column_will_do,
        check_wrong_tables_are_refused,
        check_conflict_is_never_sure,
        check_equals_are_left_to_a_person,
        check_what_is_missing_is_not_taken_for_another,
    ),
)
