"""A matcher on disk: JSON and Parquet, nothing that runs when it is read."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.claims.coding.intact import check
from headwater.claims.coding.kinds import Parsed
from headwater.claims.coding.learning import Model
from headwater.claims.coding.quantities import amounts
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.reference import Reference
from headwater.claims.coding.wording import Wording
from headwater.errors import Message, Refusal

__all__ = ["attributes", "load", "parts", "save"]

_FORMAT = 3
_DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError),
    *(pa.ArrowException, Refusal),
)
"""What reading something else than a matcher raises."""
_INNER = ("telling", "contrasts", "parts", "unread", "letters")
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
        if type(plain["format"]) is not int or plain["format"] != _FORMAT:
            raise ValueError(plain["format"])
        taught, learned = None, plain["wording"]
        if learned is not None:
            taught = Wording.restored(_read(folder, "wording"), learned)
        curves = (np.array(plain[name], dtype=np.float64) for name in ("weights", "sound", "barred"))
        weights, sound, barred = curves
        model = Model(weights, float(plain["outside"]), sound, barred)
        reference = _reference(_read(folder, "codes"), _read(folder, "entries"))
        check(plain["kind"], reference, model, taught)
    except _DAMAGE as error:
        raise _refused(folder) from error
    return plain["kind"], reference, model, taught


def _read(folder: Path, name: str) -> pa.Table:
    # One file, not a folder of them: what stands beside it must not be read along.
    return pq.ParquetFile(folder / f"{name}.parquet").read().combine_chunks()


def _reference(codes: pa.Table, entries: pa.Table) -> Reference:
    values = {
        name.removeprefix("value_"): entries[name].to_pylist()
        for name in entries.column_names
        if name.startswith("value_")
    }
    said = Parsed(entries["text"].to_pylist(), values, np.zeros(len(entries), dtype=np.bool_))
    listed, weighed = entries["code"].to_pylist(), entries["weight"].to_pylist()
    if entries["code"].type.value_type != pa.int64() or [*map(len, listed)] != [*map(len, weighed)]:
        raise ValueError("codes of entries")
    return Reference(
        codes["code"].to_pylist(),
        codes["name"].to_pylist(),
        said,
        np.concatenate([[0], np.cumsum(np.array([len(some) for some in listed], dtype=np.int64))]),
        np.array([code for some in listed for code in some], dtype=np.int64),
        np.array([weight for some in weighed for weight in some], dtype=np.float64),
    )


def _refused(folder: Path) -> Refusal:
    return Refusal(
        "E-CODING-SAVED",
        Message(f"{folder} 中没有可用的匹配器。", f"There is no matcher in {folder} that can be read."),
        Message("请重新训练并保存。", "Fit and save it again."),
    )
