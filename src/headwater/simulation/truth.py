"""What is true of the simulated region: for tests and benchmarks, never for the pipeline."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import Message, Refusal
from headwater.simulation.costs import expected
from headwater.simulation.dirt import Mark
from headwater.simulation.fee_lines import Payment
from headwater.simulation.hospitals import Hospital, Region, roster
from headwater.simulation.local import local_items
from headwater.simulation.reference import diseases, items, operations
from headwater.simulation.stays import Place, Stays

__all__ = ["Truth", "TruthFiles"]

Indices = npt.NDArray[np.int64]

_STAYS = pa.schema(
    [
        ("source", pa.string()),
        ("mdtrt_id", pa.string()),
        ("month", pa.date32()),
        ("regime", pa.string()),
        ("severity", pa.float64()),
        ("expected_log_cost", pa.float64()),
        ("cost_fen", pa.int64()),
        ("age", pa.int64()),
        ("days", pa.int64()),
        ("is_emergency", pa.bool_()),
        ("is_dead", pa.bool_()),
        ("is_employee", pa.bool_()),
        ("diagnosis", pa.string()),
        ("recorded_diagnosis", pa.string()),
        ("diagnosis_count", pa.int64()),
        ("operation", pa.string()),
        ("operation_count", pa.int64()),
        ("copy_of", pa.string()),
    ]
)
_DIRT = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("entity", pa.string()),
        ("row_no", pa.int64()),
        ("kind", pa.string()),
        ("field", pa.string()),
        ("original", pa.string()),
        ("dirty", pa.string()),
        ("expected", pa.string()),
        ("rows", pa.int64()),
    ]
)
_CHANGES = pa.schema(
    [
        ("source", pa.string()),
        ("kind", pa.string()),
        ("first_month_no", pa.int64()),
        ("last_month_no", pa.int64()),
        ("first_month", pa.date32()),
        ("last_month", pa.date32()),
        ("before", pa.string()),
        ("after", pa.string()),
    ]
)


@dataclass(frozen=True)
class Truth:
    """What a simulation wrote.

    Parameters
    ----------
    deliveries, truth : folders
    rows : delivered data rows in all files, faulty ones included
    dirty_rows : rows with a fault
    bytes : size of all delivered files
    """

    deliveries: str
    truth: str
    hospitals: int
    months: int
    stays: int
    fee_lines: int
    files: int
    rows: int
    dirty_rows: int
    bytes: int

    def to_dict(self) -> dict[str, object]:
        """Return the summary as plain values."""
        return asdict(self)


class TruthFiles:
    """Writes the truth beside a simulation; ``region.json`` says which region it is and whether it is complete."""

    def __init__(self, folder: Path, region: Region) -> None:
        self._folder = folder
        self._region = region
        self._stays: pq.ParquetWriter | None = None
        self._marks: list[tuple[str, str, Mark]] = []

    @property
    def dirty_rows(self) -> int:
        """Rows with a fault so far."""
        return len({(source, file, mark.row) for source, file, mark in self._marks})

    def __enter__(self) -> "TruthFiles":
        self._begin()
        self._stays = pq.ParquetWriter(self._folder / "stays.parquet", _STAYS, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stays is not None:
            self._stays.close()

    def _begin(self) -> None:
        file = self._folder / "region.json"
        if file.exists() and json.loads(file.read_text(encoding="utf-8"))["region"] != asdict(self._region):
            raise Refusal(
                "E-SIMULATION-OTHER",
                Message(
                    f"{self._folder} 中已有另一个模拟区域。", f"{self._folder} describes another simulated region."
                ),
                Message(
                    "请换一个目录，或先删除旧的模拟数据及其真值。",
                    "Choose another folder, or delete the old region and its truth.",
                ),
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_region({})

    def _write_region(self, summary: Mapping[str, object]) -> None:
        document = {"region": asdict(self._region), "complete": bool(summary), "summary": dict(summary)}
        text = json.dumps(document, ensure_ascii=False, indent=1)
        (self._folder / "region.json").write_text(text + "\n", encoding="utf-8")

    def add_stays(self, place: Place, stays: Stays, payment: Payment, numbers: pa.Array, copied: pa.Array) -> None:
        """Append one block of stays."""
        n, table, done = len(stays), diseases(), stays.operations
        code, operation = np.array(table.code), np.array((*operations().code, ""))
        columns = [
            pa.repeat(place.hospital.source, n),
            numbers,
            pa.repeat(pa.scalar(place.region.month(place.month)), n),
            pa.repeat(place.hospital.regime(place.month), n),
            pa.array(stays.severity),
            pa.array(expected(place, stays)),
            pa.array(payment.total),
            pa.array(stays.age),
            pa.array(stays.days),
            pa.array(stays.emergency),
            pa.array(stays.way == 5),
            pa.array(stays.employee),
            pa.array(code[stays.disease]),
            pa.array(code[stays.recorded]),
            pa.array(1 + (stays.others >= 0).sum(axis=1)),
            pa.array(operation[done[:, 0]]),
            pa.array((done >= 0).sum(axis=1)),
            copied,
        ]
        if self._stays is None:
            raise ValueError("the truth is not open")
        self._stays.write_table(pa.Table.from_arrays(columns, schema=_STAYS))

    def add_marks(self, source: str, file: str, marks: Iterable[Mark]) -> None:
        """Append the faults of one file."""
        self._marks += [(source, file, mark) for mark in marks]

    def finish(self, summary: Truth) -> None:
        """Write everything that is known only at the end."""
        self._write("dirt", _dirt(self._marks))
        self._write("hospitals", _hospitals(self._region))
        self._write("changes", _changes(self._region))
        self._write("items", pa.concat_tables(_items(self._region, hospital) for hospital in roster(self._region)))
        self._write("catalogue", pa.Table.from_pylist([asdict(item) for item in items()]))
        counts = {name: value for name, value in summary.to_dict().items() if name not in ("deliveries", "truth")}
        self._write_region(counts)

    def _write(self, name: str, table: pa.Table) -> None:
        pq.write_table(table, self._folder / f"{name}.parquet", compression="zstd")


def _dirt(marks: list[tuple[str, str, Mark]]) -> pa.Table:
    names = ("entity", "row", "kind", "field", "original", "dirty", "expected", "rows")
    columns = [[source for source, _, _ in marks], [file for _, file, _ in marks]]
    columns += [[getattr(mark, name) for _, _, mark in marks] for name in names]
    return pa.table(columns, schema=_DIRT)


def _hospitals(region: Region) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "source": hospital.source,
                "hospital": hospital.code,
                "name": hospital.name_zh,
                "level": hospital.level,
                "city": hospital.city,
                "role": hospital.role,
                "is_good_first": hospital.before == "good" and hospital.copies is None,
                "is_good_last": hospital.after == "good" and hospital.copies is None,
                "is_tiny": hospital.role == "tiny",
                "regime_before": hospital.before,
                "regime_after": hospital.after,
                "copies": "" if hospital.copies is None else roster(region)[hospital.copies - 1].source,
                "format": hospital.layout.format,
                "encoding": hospital.layout.encoding if hospital.layout.delimited else "",
            }
            for hospital in roster(region)
        ]
    )


def _changes(region: Region) -> pa.Table:
    rows: list[dict[str, object]] = []
    for hospital in roster(region):
        if hospital.change is not None:
            rows.append(_change(region, hospital, "regime", (hospital.change,), (hospital.before, hospital.after)))
        if hospital.outages:
            rows.append(_change(region, hospital, "outage", hospital.outages, ("delivering", "absent")))
    return pa.Table.from_pylist(rows, schema=_CHANGES)


def _change(
    region: Region, hospital: Hospital, kind: str, months: tuple[int, ...], states: tuple[str, str]
) -> dict[str, object]:
    return {
        "source": hospital.source,
        "kind": kind,
        "first_month_no": months[0],
        "last_month_no": months[-1],
        "first_month": region.month(months[0]),
        "last_month": region.month(months[-1]),
        "before": states[0],
        "after": states[1],
    }


def _items(region: Region, hospital: Hospital) -> pa.Table:
    local = local_items(region, hospital)
    places = np.flatnonzero(local.carried)
    chosen = [items()[place] for place in places]
    return pa.table(
        {
            "source": [hospital.source] * len(places),
            "local_code": [local.code[place] for place in places],
            "local_name": [local.name[place] for place in places],
            "local_spec": [local.spec[place] for place in places],
            "kind": [item.kind for item in chosen],
            "national_code": [item.code for item in chosen],
            "national_name": [item.name for item in chosen],
        }
    )
