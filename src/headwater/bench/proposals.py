"""Drafted contracts against the true ones of hospitals whose layouts the drafting has not been made with."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import yaml

from headwater.bench.figures import Figure, Size
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, Contract, TableContract, parse_contract
from headwater.claims.proposing import Source, draft, propose_tables
from headwater.claims.proposing.sampling import cut, grids
from headwater.simulation import simulate
from headwater.simulation.contracts import contract as true_contract
from headwater.simulation.hospitals import Hospital, Region, roster

__all__ = ["Score", "proposal_figure", "score_hospital"]

_SEEN = 12
_UNSEEN: Mapping[Size, int] = {"ci": 5, "full": 20}
_STAYS_A_HOSPITAL = 100
_MONTHS = 2
_SEED = 20260301
_GOAL = 0.95
Place = tuple[str, str, int]


@dataclass
class Score:
    """How many columns of a hospital's files were read aright, and what went wrong with the others."""

    columns: int = 0
    right: int = 0
    by_exact_name: int = 0
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Score") -> None:
        """Take another hospital's score into this one."""
        self.columns += other.columns
        self.right += other.right
        self.by_exact_name += other.by_exact_name
        self.wrong += other.wrong
        self.kinds += other.kinds

    @property
    def share(self) -> float:
        """Share of columns that are right."""
        return self.right / max(self.columns, 1)


def proposal_figure(size: Size) -> Figure:
    """Return the share of delivered columns that drafts read as the true contracts do, on layouts not seen before."""
    unseen = _UNSEEN[size]
    hospitals = _SEEN + unseen
    stays = hospitals * _STAYS_A_HOSPITAL
    scores = {"seen": Score(), "unseen": Score()}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "deliveries"
        simulate(out, hospitals=hospitals, months=_MONTHS, stays=stays, seed=_SEED)
        region = Region(hospitals=hospitals, months=_MONTHS, stays=stays, seed=_SEED)
        for hospital in roster(region):
            kind = "seen" if hospital.number <= _SEEN else "unseen"
            scores[kind].add(score_hospital(hospital, out / hospital.source))
    new = scores["unseen"]
    return Figure(
        value=new.share,
        unit="share of columns",
        goal=f">= {_GOAL}",
        holds=new.share >= _GOAL,
        baseline={"exact_national_names": new.by_exact_name / max(new.columns, 1)},
        n=new.columns,
        note=f"{unseen} synthetic layouts that were not looked at while the drafting was made, in names that the "
        "twelve known ones use too; right is the same field, format, scale and meaning of words as the true contract, "
        "for columns that no contract reads too",
        also={
            "layouts": unseen,
            "errors": dict(new.kinds),
            "confusions": new.wrong[:50],
            "seen_layouts_share": scores["seen"].share,
            "seen_layouts_errors": dict(scores["seen"].kinds),
        },
    )


def score_hospital(hospital: Hospital, folder: Path) -> Score:
    """Draft a contract for one simulated hospital's files and hold it against the true one."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    text = draft(propose_tables(files), Source(hospital.source, hospital=hospital.code))
    drafted = parse_contract(yaml.safe_load(text)["sources"][0], where="draft")
    true = parse_contract(true_contract(hospital)["sources"][0], where="true")
    score = Score()
    for pattern in dict.fromkeys(table.files for table in true.tables):
        _score_file(sorted(folder.glob(pattern)), true, drafted, score)
    score.wrong = [f"{hospital.source}: {text}" for text in score.wrong]
    return score


def _score_file(files: list[Path], true: Contract, drafted: Contract, score: Score) -> None:
    file = files[0]
    theirs = [table for table in true.tables if file in set(file.parent.glob(table.files))]
    ours = [table for table in drafted.tables if file in set(file.parent.glob(table.files))]
    grid = grids(file, rows=100_000)[0]
    sample = cut(grid, theirs[0].header_row)
    score.columns += len(sample.header)
    score.by_exact_name += sum(_by_name_alone(_places(theirs, column), column) for column in sample.header)
    if not ours or ours[0].header_row != theirs[0].header_row:
        score.kinds["header row" if ours else "entity"] += len(sample.header)
        score.wrong.append(f"{file.name}: {'header row' if ours else 'no table'}")
        return
    if {table.entity.name for table in ours} != {table.entity.name for table in theirs}:
        score.wrong.append(f"{file.name}: {[table.entity.name for table in ours]}")
    if any(set(file.parent.glob(table.files)) != set(files) for table in ours):
        score.kinds["files of the series"] += 1
    for column, cells in zip(sample.header, sample.columns, strict=True):
        wanted, got = _places(theirs, column), _places(ours, column)
        kind = _difference(wanted, got, set(cells))
        score.right += kind is None
        if kind is not None:
            score.kinds[kind] += 1
            score.wrong.append(f"{file.name}: {column}: {kind}: {sorted(got)} for {sorted(wanted)}")


def _by_name_alone(wanted: Mapping[Place, ColumnRule], column: str) -> bool:
    """Tell whether taking columns by the interface's own names, and as they are, would be right too."""
    named = {
        (entity.name, field.name, 0)
        for entity in ENTITIES.values()
        for field in entity.fields
        if column in (field.name, field.zh)
    }
    if not wanted:
        return not named
    plain = all(rule == ColumnRule(column=column) for rule in wanted.values())
    return plain and set(wanted) <= named


def _places(tables: list[TableContract], column: str) -> dict[Place, ColumnRule]:
    """Return everything a column becomes: table, field and slot, with how it is read."""
    found: dict[Place, ColumnRule] = {}
    for table in tables:
        for name, rule in table.columns:
            if rule.column == column:
                found[table.entity.name, name, 0] = rule
        for number, slot in enumerate(table.each.slots if table.each else (), start=1):
            for name, slot_column in slot:
                if slot_column == column:
                    found[table.entity.name, name, number] = ColumnRule(column=column)
    return found


def _difference(wanted: Mapping[Place, ColumnRule], got: Mapping[Place, ColumnRule], cells: set[str]) -> str | None:
    """Return what kind of error a column's reading is, or None when it is right."""
    if set(wanted) != set(got):
        slots = any(number for _, _, number in set(wanted) ^ set(got))
        entities = {entity for entity, _, _ in wanted}
        return "each" if slots else "entity" if got and not entities & {e for e, _, _ in got} else "field"
    for place, rule in wanted.items():
        other = got[place]
        if rule.format != other.format:
            return "format"
        if Decimal(rule.scale or 1) != Decimal(other.scale or 1):
            return "scale"
        true, ours = dict(rule.values), dict(other.values)
        if any(ours.get(word, word if not ours else None) != code for word, code in true.items() if word in cells):
            return "value map"
        if not true and any(word != code for word, code in ours.items() if word in cells):
            return "value map"
    return None
