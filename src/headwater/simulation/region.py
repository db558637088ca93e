"""The simulated region: every hospital's monthly deliveries, written block by block, and the truth about them."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import Message, Refusal
from headwater.simulation.contracts import STEMS, write_contracts
from headwater.simulation.costs import costs
from headwater.simulation.deliveries import (
    CATALOGUES,
    catalogue,
    fee_lines,
    front_pages,
    listed,
    settlements,
    stay_numbers,
)
from headwater.simulation.dirt import Soiled, soil
from headwater.simulation.fee_lines import bill, pay
from headwater.simulation.hospitals import Hospital, Region, roster
from headwater.simulation.references import FOLDER, write_references
from headwater.simulation.rendering import Grid
from headwater.simulation.sinks import Sink, open_sink
from headwater.simulation.stays import Place, Stays, blocks, copied_block, draw
from headwater.simulation.streams import Part, stream
from headwater.simulation.truth import Truth, TruthFiles

__all__ = ["COMMITTED", "Options", "simulate"]

COMMITTED = 12
"""Hospitals whose contracts are part of the project; contracts of further ones are delivered with their data."""


class Options(TypedDict, total=False):
    """Size of a region; what is left out has the default of :class:`Region`."""

    hospitals: int
    months: int
    stays: int
    seed: int
    dirt: bool


def simulate(
    out: Path,
    *,
    truth: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[Options],
) -> Truth:
    """Write a region's deliveries under ``out`` and the truth about them elsewhere.

    The same options give the same bytes. Memory is bounded by one block of stays, whatever the size of the region.

    Parameters
    ----------
    out : one folder a source, ``contracts`` of sources that the project does not know, and the bureau's ``reference``
    truth : folder for the truth; ``truth`` beside ``out`` when None
    progress : called with finished and all hospital months

    Raises
    ------
    Refusal
        ``E-SIMULATION-SIZE``, ``E-SIMULATION-TRUTH`` when the truth would lie among the deliveries,
        ``E-SIMULATION-OTHER`` when another region lies there
    """
    region = Region(**options)
    truth = out.parent / "truth" if truth is None else truth
    _check(out, truth, region)
    tally = _Tally()
    total = region.hospitals * region.months
    with TruthFiles(truth, region) as files:
        write_contracts(out / "contracts", roster(region)[COMMITTED:])
        write_references(out / FOLDER, region)
        for hospital in roster(region):
            folder = out / hospital.source
            folder.mkdir(parents=True, exist_ok=True)
            _write_catalogues(folder, region, hospital, files, tally)
            for month in range(region.months):
                _write_month(folder, blocks(region, hospital, month), files, tally)
                if progress is not None:
                    progress((hospital.number - 1) * region.months + month + 1, total)
        summary = tally.summary(out, truth, region, files.dirty_rows)
        files.finish(summary)
    return summary


def _check(out: Path, truth: Path, region: Region) -> None:
    if truth.resolve().is_relative_to(out.resolve()):
        raise Refusal(
            "E-SIMULATION-TRUTH",
            Message(
                f"真值目录 {truth} 位于送报目录 {out} 之内。",
                f"The truth {truth} would lie among the deliveries {out}.",
            ),
            Message("请把真值放到别处。", "Put the truth elsewhere."),
        )
    occupied = [hospital.source for hospital in roster(region) if (out / hospital.source).exists()]
    if occupied and not (truth / "region.json").exists():
        raise Refusal(
            "E-SIMULATION-OTHER",
            Message(
                f"{out} 中已有 {'、'.join(occupied)} 的文件。", f"{out} already has files of {', '.join(occupied)}."
            ),
            Message("请换一个目录，或先删除它们。", "Choose another folder, or delete them first."),
        )


@dataclass
class _Tally:
    """Running totals of what was written."""

    stays: int = 0
    fee_lines: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0

    def closed(self, path: Path) -> None:
        self.files += 1
        self.bytes += path.stat().st_size

    def summary(self, out: Path, truth: Path, region: Region, dirty_rows: int) -> Truth:
        return Truth(
            deliveries=str(out),
            truth=str(truth),
            hospitals=region.hospitals,
            months=region.months,
            stays=self.stays,
            fee_lines=self.fee_lines,
            files=self.files,
            rows=self.rows,
            dirty_rows=dirty_rows,
            bytes=self.bytes,
        )


def _write_catalogues(folder: Path, region: Region, hospital: Hospital, files: TruthFiles, tally: _Tally) -> None:
    for number, name in enumerate(CATALOGUES):
        path = folder / f"{STEMS[name]}.{hospital.layout.format}"
        clean = catalogue(region, hospital, name)
        rng = stream(region.seed, Part.DIRT, hospital.number, region.months + number)
        with closing(_sink(path, hospital, name, clean)) as sink:
            done = soil(clean, entity=name, shape=hospital.layout, rng=rng) if region.dirt else Soiled(clean)
            sink.write(done.table, done.misshapen)
        files.add_marks(hospital.source, path.name, done.marks)
        tally.rows += len(done.table)
        tally.closed(path)


def _sink(path: Path, hospital: Hospital, table: str, rows: Grid) -> Sink:
    title = f"{hospital.name_zh} {STEMS[table]}"
    return open_sink(path, shape=hospital.layout, columns=rows.columns, title=title)


def _write_month(folder: Path, places: list[Place], files: TruthFiles, tally: _Tally) -> None:
    """Write one hospital's month: a file a table, a block at a time."""
    with ExitStack() as stack:
        month = _Month(folder, stack, files, tally)
        for place in places:
            month.write(place)
    for path in month.paths:
        tally.closed(path)


class _Month:
    """The open files of one hospital's month."""

    def __init__(self, folder: Path, stack: ExitStack, files: TruthFiles, tally: _Tally) -> None:
        self._folder = folder
        self._stack = stack
        self._files = files
        self._tally = tally
        self._sinks: dict[str, Sink] = {}
        self._rows: dict[str, int] = {}
        self.paths: list[Path] = []

    def write(self, place: Place) -> None:
        """Append one block to every file."""
        stays = draw(place)
        lines = bill(place, stays, costs(place, stays))
        payment = pay(place, stays, lines)
        self._files.add_stays(place, stays, payment, stay_numbers(place), _copied_numbers(place, stays))
        self._tally.stays += len(stays)
        self._tally.fee_lines += len(lines)
        rng = place.rng(Part.DIRT)
        self._append(place, "front_page", front_pages(place, stays, payment), rng)
        for name in ("diagnosis", "operation") if place.hospital.layout.long else ():
            self._append(place, name, listed(place, stays, name), rng)
        if place.hospital.layout.long:
            self._append(place, "settlement", settlements(place, stays, payment), rng)
        self._append(place, "fee_line", fee_lines(place, stays, lines), rng)

    def _append(self, place: Place, name: str, clean: Grid, rng: np.random.Generator) -> None:
        path = self._folder / f"{STEMS[name]}_{place.region.month(place.month):%Y%m}.{place.hospital.layout.format}"
        if name not in self._sinks:
            self._sinks[name] = self._stack.enter_context(closing(_sink(path, place.hospital, name, clean)))
            self._rows[name] = 0
            self.paths.append(path)
        done = Soiled(clean)
        if place.region.dirt:
            done = soil(clean, entity=name, shape=place.hospital.layout, rng=rng, first=self._rows[name])
        self._sinks[name].write(done.table, done.misshapen)
        self._files.add_marks(place.hospital.source, path.name, done.marks)
        self._rows[name] += len(done.table)
        self._tally.rows += len(done.table)


def _copied_numbers(place: Place, stays: Stays) -> pa.Array:
    """Return ``source:mdtrt_id`` of the stay that each one repeats, empty where it is an original."""
    original = copied_block(place)
    if original is None:
        return pa.repeat("", len(stays))
    numbers = stay_numbers(original).take(pa.array(stays.original))
    return pc.binary_join_element_wise(original.hospital.source, numbers, ":")
