"""A contract against the files that lie in its source's folder. No value of a person is ever shown."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.proposing.assignment import fitting_entities
from headwater.claims.proposing.dates import date_form
from headwater.claims.proposing.evidence import Profile, folded, profile
from headwater.claims.proposing.names import fold, shown
from headwater.claims.proposing.rules import in_fen
from headwater.claims.proposing.sampling import Grid, Sample, cut, grids
from headwater.claims.reading import read
from headwater.claims.reviewing.finding import Finding, Level
from headwater.errors import Message, Refusal

__all__ = ["delivered_findings"]

_SURE = 0.75
_FEW = 12
_SHORT = 12


@dataclass(frozen=True)
class _Place:
    """Where a finding belongs."""

    text: str

    def say(self, level: Level, code: str, zh: str, en: str, *, at: str = "") -> Finding:
        return Finding(level, f"{self.text}.{at}" if at else self.text, code, Message(zh, en))


def delivered_findings(tables: Sequence[TableContract], folder: Path, where: str) -> list[Finding]:
    """Return what the delivered files contradict; files that no table reads are named too.

    Parameters
    ----------
    folder : where this source's files lie; where there is none, only that is said
    """
    if not folder.is_dir():
        zh, en = (
            "没有送报目录，只检查了合同本身。",
            "There is no folder of deliveries: only the contract itself was checked.",
        )
        return [_Place(where).say("info", "I-NO-DELIVERIES", zh, en)]
    found: list[Finding] = []
    used: set[Path] = set()
    read_by_file: dict[str, set[str]] = {}
    for table in tables:
        read_by_file.setdefault(table.files, set()).update(table.delivered_columns)
    for table in tables:
        files = sorted(file for file in folder.glob(table.files) if file.is_file())
        used |= set(files)
        found += _of_table(table, files, _Place(f"{where}.{table.entity.name}"), read_by_file[table.files])
    lying = {file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")}
    for file in sorted(lying - used):
        name = shown(file.name)
        found.append(
            _Place(where).say("warning", "W-FILE-UNREAD", f"没有表读取文件 {name}。", f"No table reads file {name}.")
        )
    return found


def _of_table(table: TableContract, files: Sequence[Path], place: _Place, all_read: set[str]) -> Iterator[Finding]:
    if not files:
        pattern = shown(table.files)
        yield place.say(
            "error", "E-NO-FILE", f"模式 {pattern} 不匹配任何文件。", f"Pattern {pattern} matches no file.", at="files"
        )
        return
    readable = []
    for file in files:
        problems = list(_of_header(table, file, place))
        yield from problems
        readable += [] if problems else [file]
    if not readable:
        return
    sample = cut(_grid(table, readable[0], rows=5_000), table.header_row)
    profiles = {name: profile(sample.column(name)) for name in sample.header if name not in sample.unusable}
    yield from _of_dates(table, sample, place)
    yield from _of_amounts(table, profiles, place)
    yield from _of_words(table, readable, place)
    yield from _of_unread(table, profiles, place, all_read)


def _grid(table: TableContract, file: Path, *, rows: int = 30) -> Grid:
    found = grids(file, rows=rows)
    return next((grid for grid in found if grid.sheet == table.sheet), found[0])


def _of_header(table: TableContract, file: Path, place: _Place) -> Iterator[Finding]:
    name, wanted = shown(file.name), table.delivered_columns
    try:
        found = grids(file, rows=30)
    except Refusal as error:
        yield place.say("error", error.code, error.reason.zh, error.reason.en, at="files")
        return
    grid = next((one for one in found if one.sheet == table.sheet), None if table.sheet else found[0])
    if grid is None:
        sheets = "、".join(shown(one.sheet or "") for one in found)
        yield place.say(
            "error",
            "E-SHEET",
            f"文件 {name} 没有工作表 {table.sheet}，有：{sheets}。",
            f"File {name} has no sheet {table.sheet}; it has {sheets}.",
            at="sheet",
        )
        return
    if grid.format != table.format:
        yield place.say(
            "error",
            "E-FILE-FORMAT",
            f"文件 {name} 是 {grid.format}，合同写的是 {table.format}。",
            f"File {name} is {grid.format}, the contract says {table.format}.",
            at="format",
        )
        return
    header = cut(grid, table.header_row).header
    missing = [column for column in wanted if column not in header]
    moved = _moved(grid, wanted)
    if missing and moved not in (None, table.header_row):
        yield place.say(
            "error",
            "E-HEADER-MOVED",
            f"文件 {name} 的表头在第 {moved} 行，合同写的是第 {table.header_row} 行。",
            f"The header of file {name} is row {moved}, the contract says {table.header_row}.",
            at="header_row",
        )
        return
    for column in missing:
        yield _lacking(column, header, wanted, name, place)


def _moved(grid: Grid, wanted: Sequence[str]) -> int | None:
    """Return the row that holds most of the wanted names, if one holds more than half of them."""
    counts = [len(set(wanted) & {cell.strip() for cell in row}) for row in grid.rows]
    best = max(range(len(counts)), key=counts.__getitem__, default=None)
    return best + 1 if best is not None and counts[best] > len(wanted) / 2 else None


def _lacking(column: str, header: Sequence[str], wanted: Sequence[str], name: str, place: _Place) -> Finding:
    free = {fold(cell): cell for cell in header if cell and cell not in wanted}
    near = get_close_matches(fold(column), list(free), n=1, cutoff=0.5)
    zh, en = (
        (f"；最接近的是“{shown(free[near[0]])}”", f"; the nearest is {shown(free[near[0]])!r}") if near else ("", "")
    )
    return place.say(
        "error",
        "E-COLUMN-MISSING",
        f"文件 {name} 没有列“{shown(column)}”{zh}。",
        f"File {name} has no column {shown(column)!r}{en}.",
        at="columns",
    )


def _rules(table: TableContract) -> Iterator[tuple[str, str, ColumnRule]]:
    for name, rule in table.columns:
        if rule.column is not None:
            yield name, rule.column, rule


def _of_dates(table: TableContract, sample: Sample, place: _Place) -> Iterator[Finding]:
    for name, column, rule in _rules(table):
        if table.entity.field(name).type not in ("date", "time"):
            continue
        values = [cell for cell in map(folded, sample.column(column)) if cell and cell not in table.nulls]
        form = date_form(values)
        if form is None:
            if values and rule.format is None:
                yield place.say(
                    "error",
                    "E-DATE-UNREAD",
                    f"列“{shown(column)}”的取值不像日期。",
                    f"Values of column {shown(column)!r} are no dates.",
                    at=name,
                )
        elif form.format != rule.format and rule.format is None:
            doubt = ("日月先后无法判断，", "day and month cannot be told apart; ") if form.ambiguous else ("", "")
            yield place.say(
                "error",
                "E-DATE-FORMAT",
                f"列“{shown(column)}”的日期有歧义，{doubt[0]}须写 format: {form.format}。",
                f"Dates in column {shown(column)!r} need a format: {doubt[1]}e.g. {form.format}.",
                at=name,
            )
        elif form.format != rule.format and not form.ambiguous:
            written = form.format or "一般写法"
            yield place.say(
                "error",
                "E-DATE-FORMAT",
                f"列“{shown(column)}”写作 {written}，不是 {rule.format}。",
                f"Column {shown(column)!r} is written as {form.format or 'the general reader takes it'}, "
                f"not as {rule.format}.",
                at=name,
            )


def _of_amounts(table: TableContract, profiles: dict[str, Profile], place: _Place) -> Iterator[Finding]:
    columns = {name: profiles[column] for name, column, _ in _rules(table) if column in profiles}
    fen, doubts = in_fen(columns, sibling=False)
    for name, column, rule in _rules(table):
        if table.entity.field(name).type == "money" and rule.scale is None and (fen or doubts):
            yield place.say(
                "warning",
                "W-FEN",
                f"列“{shown(column)}”的金额像是分，须写 scale: 0.01。",
                f"Amounts in column {shown(column)!r} look like fen: scale: 0.01 would make them yuan.",
                at=name,
            )


def _of_words(table: TableContract, files: Sequence[Path], place: _Place) -> Iterator[Finding]:
    mapped = {name: rule for name, _, rule in _rules(table) if rule.values}
    if not mapped:
        return
    counts: dict[str, Counter[str]] = {name: Counter() for name in mapped}
    narrow = replace(table, columns=tuple(mapped.items()), each=None)
    for file in files:
        try:
            for batch in read(file, name=file.name, table=narrow).batches:
                for name, rule in mapped.items():
                    for entry in batch.column(str(rule.column)).value_counts().to_pylist():
                        counts[name][folded(entry["values"] or "")] += entry["counts"]
        except Refusal as error:
            yield place.say("error", error.code, error.reason.zh, error.reason.en, at="files")
            return
    for name, rule in mapped.items():
        yield from _uncovered(name, rule, counts[name], table.nulls, place)


def _uncovered(
    name: str, rule: ColumnRule, counts: Counter[str], nulls: Sequence[str], place: _Place
) -> Iterator[Finding]:
    known = {word for word, _ in rule.values} | {"", *nulls}
    left = {word: times for word, times in counts.items() if word not in known}
    filled = sum(times for word, times in counts.items() if word not in ("", *nulls))
    rows = sum(left.values())
    if not left:
        return
    # Words are shown only where the column evidently is the right one: a wrong one might hold names of persons.
    open_to_view = rows < filled / 2 and len(left) <= _FEW
    listed = [f"{shown(word) if len(word) <= _SHORT else '…'} ({times})" for word, times in left.items()]
    words = "：" + "、".join(listed) if open_to_view else ""
    level: Level = "error" if rows > filled / 2 else "warning"
    yield place.say(
        level,
        "E-VALUE-MAP" if level == "error" else "W-VALUE-MAP",
        f"列“{shown(rule.column or '')}”有 {len(left)} 种取值（{rows} 行）不在 map 中{words}。",
        f"{len(left)} values of column {shown(rule.column or '')!r} in {rows} rows are not in the map"
        f"{words.replace('：', ': ').replace('、', ', ')}.",
        at=name,
    )


def _of_unread(
    table: TableContract, profiles: dict[str, Profile], place: _Place, all_read: set[str]
) -> Iterator[Finding]:
    given = {name for name, _ in table.columns}
    if table.each is not None:
        return
    reading = fitting_entities(profiles, file="", among=(table.entity.name,))[0]
    fields = {field.name for field in ENTITIES[table.entity.name].fields}
    for match in reading.matches:
        unread = match.target in fields and match.target not in given and match.column not in all_read
        if unread and match.confidence >= _SURE:
            yield place.say(
                "info",
                "I-UNREAD-COLUMN",
                f"列“{shown(match.column)}”像 {match.target}，合同没有读取。",
                f"Column {shown(match.column)!r} looks like {match.target} and is not read.",
                at=str(match.target),
            )
