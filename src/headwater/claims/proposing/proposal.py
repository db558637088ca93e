"""From delivered files to a proposed contract: every file becomes the table it fits best, no doubt is kept silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log10
from pathlib import Path
from typing import Any

from headwater.claims.canonical import ENTITIES, Entity
from headwater.claims.contract import FileFormat
from headwater.claims.proposing.assignment import Match, Reading, fitting_entities
from headwater.claims.proposing.evidence import Profile, profile
from headwater.claims.proposing.names import known_names
from headwater.claims.proposing.rules import in_fen, rule
from headwater.claims.proposing.sampling import Grid, Sample, cut, grids, header_row
from headwater.claims.proposing.series import families, pattern
from headwater.claims.proposing.slots import Series, numbered
from headwater.errors import Message, Refusal

__all__ = ["Proposal", "ProposedColumn", "ProposedTable", "propose_tables"]

_UNSURE = 0.6
_MORE_ROWS = 1_000
_SLOT_TABLES = {
    "diagnosis": ("diag_srt", "diag_code", "diag_name"),
    "operation": ("oprn_srt", "oprn_oprt_code", "oprn_oprt_name"),
}
_MAIN = {"diagnosis": ("dscg_maindiag_code", "dscg_maindiag_name"), "operation": ("main_oprn_code", "+main_oprn_name")}


@dataclass(frozen=True)
class ProposedColumn:
    """One delivered column of one table: the field it was taken for, or None, and how sure that is."""

    column: str
    field: str | None
    keys: Mapping[str, Any]
    confidence: float
    runner_up: tuple[str, float] | None
    notes: tuple[Message, ...] = ()

    @property
    def unsure(self) -> bool:
        """Whether somebody has to look at it."""
        return bool(self.notes) or (self.field is not None and self.confidence < _UNSURE)


@dataclass(frozen=True)
class ProposedTable:
    """One table of the contract.

    Parameters
    ----------
    slots : one mapping of field → column a slot, empty where every row is one row
    missing : required fields that no column gives; such a table is drafted as a comment
    """

    entity: Entity
    files: str
    format: FileFormat
    encoding: str
    sheet: str | None
    header_row: int
    columns: tuple[ProposedColumn, ...]
    slots: tuple[Mapping[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[Message, ...] = ()
    hospital: str | None = None


@dataclass(frozen=True)
class Proposal:
    """What was found in the files: tables, and files or sheets that are none."""

    tables: tuple[ProposedTable, ...]
    notes: tuple[Message, ...] = ()
    currency_signs: tuple[str, ...] = ()

    @property
    def complete(self) -> tuple[ProposedTable, ...]:
        """Tables that can be loaded as they stand."""
        return tuple(table for table in self.tables if not table.missing)


@dataclass(frozen=True)
class _Seen:
    """One family of files with its best reading."""

    family: tuple[Path, ...]
    sample: Sample
    profiles: Mapping[str, Profile]
    series: tuple[Series, ...]
    reading: Reading
    notes: list[Message] = field(default_factory=list)

    def profile_of(self) -> dict[str, Profile]:
        """Return field → what its column's values say."""
        return {m.target: self.profiles[m.column] for m in self.reading.matches if m.target}


def propose_tables(files: Sequence[Path]) -> Proposal:
    """Look at files and propose the tables they become.

    Raises
    ------
    Refusal
        ``E-PROPOSE-NOTHING`` when no file can be read as any canonical table
    """
    seen: list[_Seen] = []
    notes: list[Message] = []
    for family in families(files):
        try:
            found = _look(family)
        except Refusal as error:
            notes.append(error.reason)
            continue
        seen += found if found else []
        if not found:
            notes.append(_unlike(family[0]))
    if not any(not one.reading.missing for one in seen):
        raise _nothing(notes, seen)
    fen = any(in_fen(one.profile_of(), sibling=False)[0] for one in seen)
    widths = {name: width for one in seen for name, width in _zero_filled(one).items()}
    tables = [table for one in _one_each(seen, notes) for table in _tables(one, files, fen, widths)]
    order = list(ENTITIES)
    signs = {sign for one in seen for p in one.profiles.values() for sign in _signs(p)}
    ordered = sorted(tables, key=lambda table: order.index(table.entity.name))
    return Proposal(tuple(ordered), tuple(notes), tuple(sorted(signs)))


def _look(family: Sequence[Path]) -> list[_Seen]:
    """Return the best reading of a family: of one of its sheets, where a file has several."""
    found = []
    for grid in grids(family[0]):
        row = header_row(grid, known_names())
        sample = _with_more(cut(grid, row), family)
        usable = [name for name in sample.header if name not in sample.unusable]
        if usable and sample.columns and sample.columns[0]:
            found.append(_read(tuple(family), sample, usable))
    found = [one for one in found if any(match.target and match.target[0] != "+" for match in one.reading.matches)]
    if not found:
        return []
    best = max(found, key=_worth)
    for other in found:
        if other is not best and not other.reading.missing:
            best.notes.append(_other_sheet(other.sample.grid))
    best.notes.extend(_lacking(best))
    return [best]


def _worth(one: _Seen) -> tuple[bool, float]:
    """Rank the sheets of a workbook: the whole list before an extract of it, one with prices before one without."""
    priced = one.reading.entity.period is not None or one.reading.column("pric") is not None
    return not one.reading.missing, one.reading.score + 0.3 * log10(one.sample.grid.total + 1) + 0.5 * priced


def _read(family: tuple[Path, ...], sample: Sample, usable: Sequence[str]) -> _Seen:
    values = {name: sample.column(name) for name in usable}
    series = numbered(usable, values)
    taken = {column for one in series for column in one.columns.values()}
    hint = f"{family[0].name} {sample.grid.sheet or ''}"
    profiles = {name: profile(cells) for name, cells in values.items()}
    reading = fitting_entities(profiles, file=hint)[0]
    if taken:
        single = {name: seen for name, seen in profiles.items() if name not in taken}
        wide = fitting_entities(single, file=hint, among=("front_page",))[0]
        if not set(wide.missing) - {"dscg_maindiag_code"}:
            return _Seen(family, sample, profiles, tuple(series), _with_first(wide, series))
    return _Seen(family, sample, profiles, (), reading)


def _with_first(reading: Reading, series: Sequence[Series]) -> Reading:
    """Take the first of the numbered columns for the main one where no other column is."""
    matches = list(reading.matches)
    for one in series:
        for main, name in zip(_MAIN[one.entity], _SLOT_TABLES[one.entity][1:], strict=True):
            if one.field == name and reading.column(main) is None:
                first = next(iter(one.columns.values()))
                matches.append(Match(first, main, round(one.score, 3), round(0.9 * one.score, 3)))
    given = {match.target for match in matches}
    missing = tuple(name for name in reading.missing if name not in given)
    return Reading(reading.entity, tuple(matches), missing, reading.score)


def _with_more(sample: Sample, family: Sequence[Path]) -> Sample:
    """Add rows from the middle and the last file of the family, where their columns are the same."""
    columns = [list(cells) for cells in sample.columns]
    for path in dict.fromkeys((family[len(family) // 2], family[-1])):
        if path == sample.grid.path:
            continue
        more = next((g for g in grids(path, rows=_MORE_ROWS) if g.sheet == sample.grid.sheet), None)
        other = cut(more, sample.header_row) if more is not None else None
        if other is not None and other.header == sample.header:
            for cells, added in zip(columns, other.columns, strict=True):
                cells += added
    return Sample(sample.grid, sample.header_row, sample.header, tuple(map(tuple, columns)))


def _lacking(one: _Seen) -> list[Message]:
    """Say which files of the family lack columns that the contract would read."""
    wanted = {match.column for match in one.reading.matches if match.target and match.target[0] != "+"}
    notes = []
    for path in one.family[1:]:
        more: Grid | None = next((g for g in grids(path, rows=1) if g.sheet == one.sample.grid.sheet), None)
        header = set(cut(more, one.sample.header_row).header) if more is not None else set()
        if wanted - header:
            notes.append(
                Message(
                    f"文件 {path.name} 缺少部分列，不能按同一合同读取",
                    f"file {path.name} lacks some of these columns and cannot be read like the others",
                )
            )
    return notes


def _one_each(seen: Sequence[_Seen], notes: list[Message]) -> list[_Seen]:
    """Keep one family a table, the one with most rows: a source has every table once."""
    kept: dict[str, _Seen] = {}
    for one in sorted(seen, key=lambda one: (bool(one.reading.missing), -one.sample.grid.total * len(one.family))):
        name = one.reading.entity.name
        if name not in kept:
            kept[name] = one
        else:
            zh, file = one.reading.entity.zh, one.family[0].name
            notes.append(
                Message(
                    f"文件 {file} 也像{zh}：如需入库，请为其单独建一个数据源",
                    f"file {file} looks like {name} too: give it a source of its own to load it",
                )
            )
    return list(kept.values())


def _zero_filled(one: _Seen) -> dict[str, int]:
    """Return the fields whose codes are digits of one length, some with a zero in front, and that length."""
    found = {}
    for name, seen in one.profile_of().items():
        lengths = {len(value) for value in seen.values}
        if (
            len(lengths) == 1
            and all(value.isdigit() for value in seen.values)
            and any(v[0] == "0" for v in seen.values)
        ):
            found[name] = lengths.pop()
    return found


def _shortened(one: _Seen, match: Match, widths: Mapping[str, int]) -> dict[str, int]:
    """Return the width of a code whose zeros were lost because its cells are numbers, as another table shows."""
    width, values = widths.get(match.target or ""), one.profiles[match.column].values
    place = one.sample.header.index(match.column)
    lost = place in one.sample.grid.numeric and any(width and len(value) < width for value in values)
    return {"width": width} if width and lost and all(value.isdigit() for value in values) else {}


def _tables(one: _Seen, files: Sequence[Path], fen: bool, widths: Mapping[str, int]) -> list[ProposedTable]:
    entity = one.reading.entity
    scaled, doubts = in_fen(one.profile_of(), sibling=fen)
    columns = tuple(
        _column(entity, match, one.profiles[match.column], fen=scaled, more=_shortened(one, match, widths))
        for match in one.reading.matches
    )
    notes = (*one.notes, *doubts, *_unpriced(one))
    main = _table(one, files, entity, columns, missing=one.reading.missing, notes=notes)
    key = next((column for column in columns if column.field == "mdtrt_id"), None)
    tables = [main]
    for name in _SLOT_TABLES:
        slots = _slots(one, name)
        if slots and key is not None:
            tables.append(_table(one, files, ENTITIES[name], (key,), slots=slots))
    return tables


def _table(
    one: _Seen, files: Sequence[Path], entity: Entity, columns: tuple[ProposedColumn, ...], **more: Any
) -> ProposedTable:
    grid = one.sample.grid
    fixed = next((one.profiles[m.column] for m in one.reading.matches if m.target == "fixmedins_code"), None)
    root = _root(files)
    glob = pattern(one.family, [file for file in files if file not in one.family])
    folder = one.family[0].parent.relative_to(root).as_posix()
    return ProposedTable(
        entity=entity,
        files=glob if folder == "." else f"{folder}/{glob}",
        format=grid.format,
        encoding=grid.encoding,
        sheet=grid.sheet if grid.format == "xlsx" else None,
        header_row=one.sample.header_row,
        columns=columns,
        hospital=next(iter(fixed.values)) if fixed is not None and len(fixed.values) == 1 else None,
        **more,
    )


def _root(files: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all files."""
    folders = [file.parent for file in files]
    root = folders[0]
    while not all(folder.is_relative_to(root) for folder in folders):
        root = root.parent
    return root


def _column(entity: Entity, match: Match, seen: Profile, *, fen: bool, more: Mapping[str, int]) -> ProposedColumn:
    if match.target is None or match.target.startswith("+"):
        return ProposedColumn(match.column, None, {}, match.confidence, match.runner_up)
    found = rule(entity.field(match.target), seen, fen=fen)
    return ProposedColumn(
        match.column, match.target, {**found.keys, **more}, match.confidence, match.runner_up, found.notes
    )


def _slots(one: _Seen, table: str) -> tuple[Mapping[str, str], ...]:
    _, code, name = _SLOT_TABLES[table]
    series = {found.field: found.columns for found in one.series if found.entity == table}
    if code not in series:
        return ()
    numbers = list(series[code])
    slots = [{code: series[code][number], **_named(name, series, number)} for number in numbers]
    main = one.reading.column(_MAIN[table][0])
    if main is None or main in series[code].values() or _same(one, main, series[code][numbers[0]]):
        return tuple(slots)
    named = one.reading.column(_MAIN[table][1])
    return ({code: main, **({name: named} if named else {})}, *slots)


def _named(name: str, series: Mapping[str, Mapping[int, str]], number: int) -> dict[str, str]:
    column = series.get(name, {}).get(number)
    return {name: column} if column is not None else {}


def _same(one: _Seen, first: str, second: str) -> bool:
    pairs = [(a, b) for a, b in zip(one.sample.column(first), one.sample.column(second), strict=True) if a or b]
    return bool(pairs) and sum(a == b for a, b in pairs) > 0.9 * len(pairs)


def _unpriced(one: _Seen) -> tuple[Message, ...]:
    """Say that a list of items gives no price: it can be loaded, and is of little use."""
    fields = {field.name for field in one.reading.entity.fields}
    if one.reading.entity.period is not None or "pric" not in fields or one.reading.column("pric") is not None:
        return ()
    return (Message("没有单价列，只能读取名称", "no column gives a price: only names would be read"),)


def _signs(seen: Profile) -> set[str]:
    return {value[0] for value in list(seen.values)[:50] if value[0] in "¥$€£" and seen.shapes["number"] > 0.5}


def _unlike(file: Path) -> Message:
    return Message(f"文件 {file.name} 不像任何标准表", f"file {file.name} is like no canonical table")


def _other_sheet(grid: Grid) -> Message:
    return Message(
        f"工作表“{grid.sheet}”（{grid.total} 行）也可读取，本表只读一个工作表",
        f"sheet {grid.sheet!r} ({grid.total} rows) could be read too; a table reads one sheet",
    )


def _nothing(notes: Sequence[Message], seen: Sequence[_Seen]) -> Refusal:
    lacking = [
        Message(
            f"{one.family[0].name} 最像{one.reading.entity.zh}，但缺 {'、'.join(one.reading.missing)}",
            f"{one.family[0].name} is most like {one.reading.entity.name} but lacks {', '.join(one.reading.missing)}",
        )
        for one in seen
    ]
    found = [*notes, *lacking]
    return Refusal(
        "E-PROPOSE-NOTHING",
        Message(
            f"没有可起草合同的文件：{'；'.join(note.zh for note in found)}。",
            f"No file can be drafted a contract for: {'; '.join(note.en for note in found)}.",
        ),
        Message("补上所缺的列，或手写合同。", "Deliver the missing columns, or write the contract by hand."),
    )
