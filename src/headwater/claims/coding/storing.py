"""A matcher on disk: JSON and Parquet, nothing that runs when it is read."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.claims.coding.kinds import Parsed
from headwater.claims.coding.learning import Model
from headwater.claims.coding.quantities import amounts
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.reference import Reference
from headwater.claims.coding.wording import Wording
from headwater.errors import Message, Refusal

__all__ = ["attributes", "load", "parts", "save"]

_FORMAT = 2
_INNER = ("telling", "parts", "unread", "letters")
_AMOUNTS = ("mg", "ml", "iu", "pct")


def attributes(said: Parsed, place: Indices) -> pa.Table:
    """Return what was read as a table; see ``matcher.parse``."""
    columns = {
        name: pa.array([value or None for value in values], pa.string())
        for name, values in said.values.items()
        if name not in _INNER
    }
    table = {"text": pa.array([text or None for text in said.text], pa.string()), **columns}
    if "strength" in said.values:
        found = [amounts(strength) for strength in said.values["strength"]]
        for unit in _AMOUNTS:
            single = [known[unit][0] if len(known.get(unit, ())) == 1 else None for known in found]
            table[unit] = pa.array(single, pa.float64())
        table["pieces"] = pa.array([float(pack) if pack else None for pack in said.values["pack"]], pa.float64())
    return pa.table(table).take(pa.array(place))


def _tables(reference: Reference, wording: Wording | None) -> dict[str, pa.Table]:
    entries = reference.entries
    offsets = pa.array(reference.start, pa.int32())
    tables = {
        "codes": pa.table({"code": reference.codes, "name": reference.names}),
        "entries": pa.table(
            {
                "text": entries.text,
                **{f"value_{name}": pa.array(values, pa.string()) for name, values in sorted(entries.values.items())},
                "code": pa.ListArray.from_arrays(offsets, pa.array(reference.code)),
                "weight": pa.ListArray.from_arrays(offsets, pa.array(reference.weight)),
            }
        ),
    }
    return tables if wording is None else tables | {"wording": wording.table}


def _plain(kind: str, model: Model, wording: Wording | None) -> str:
    plain = {
        "format": _FORMAT,
        "kind": kind,
        "weights": model.weights.tolist(),
        "outside": model.outside,
        "sound": model.sound.tolist(),
        "barred": model.barred.tolist(),
        "wording": None if wording is None else wording.learned(),
    }
    return json.dumps(plain, ensure_ascii=False, indent=1)


def parts(kind: str, reference: Reference, model: Model, wording: Wording | None) -> Iterator[bytes]:
    """Yield all that is saved, in an order that never changes."""
    yield _plain(kind, model, wording).encode()
    for table in _tables(reference, wording).values():
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        yield sink.getvalue()


def save(folder: Path, kind: str, reference: Reference, model: Model, wording: Wording | None) -> None:
    """Write a matcher."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in _tables(reference, wording).items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "matcher.json").write_text(_plain(kind, model, wording), encoding="utf-8")


def load(folder: Path) -> tuple[str, Reference, Model, Wording | None]:
    """Return kind, reference, model and wording of a saved matcher."""
    try:
        plain = json.loads((folder / "matcher.json").read_text(encoding="utf-8"))
        codes, entries = (pq.read_table(folder / f"{name}.parquet").combine_chunks() for name in ("codes", "entries"))
        taught = plain.get("wording") and pq.read_table(folder / "wording.parquet")
    except (OSError, ValueError) as error:
        raise _refused(folder) from error
    if plain.get("format") != _FORMAT:
        raise _refused(folder)
    wording = Wording.restored(taught, plain["wording"]) if taught else None
    values = {
        name.removeprefix("value_"): entries[name].to_pylist()
        for name in entries.column_names
        if name.startswith("value_")
    }
    said = Parsed(entries["text"].to_pylist(), values, np.zeros(len(entries), dtype=np.bool_))
    sizes = np.array([len(listed) for listed in entries["code"].to_pylist()], dtype=np.int64)
    reference = Reference(
        codes["code"].to_pylist(),
        codes["name"].to_pylist(),
        said,
        np.concatenate([[0], np.cumsum(sizes)]),
        np.array([code for listed in entries["code"].to_pylist() for code in listed], dtype=np.int64),
        np.array([weight for listed in entries["weight"].to_pylist() for weight in listed], dtype=np.float64),
    )
    learned = (np.array(plain[name], dtype=np.float64) for name in ("weights", "sound", "barred"))
    weights, sound, barred = learned
    return plain["kind"], reference, Model(weights, float(plain["outside"]), sound, barred), wording


def _refused(folder: Path) -> Refusal:
    return Refusal(
        "E-CODING-SAVED",
        Message(f"{folder} 中没有可用的匹配器。", f"There is no matcher in {folder} that can be read."),
        Message("请重新训练并保存。", "Fit and save it again."),
    )
