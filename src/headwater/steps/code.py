"""Code: local names of items, diagnoses and operations become national codes, or honestly do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from headwater.adapters import coding, lake, postgres, raw, references, reviews
from headwater.adapters.home import Home
from headwater.adapters.references import Reference
from headwater.adapters.reviews import Ruling
from headwater.claims.likeness import ATTRIBUTES, KINDS, like_ids
from headwater.claims.reopening import changed_codes, is_touched
from headwater.errors import Message
from headwater.steps import fit
from headwater.steps.answers import NOTHING, Row, give, has_lost, rule, settled, weigh
from headwater.steps.questions import DROPPED, proposed, questions

__all__ = ["CodeReport", "KindCoded", "code"]

_MEMORY = "1GiB"
_UNDER_REVIEW = ("in force", "reopened", "proposed")


@dataclass(frozen=True)
class KindCoded:
    """What became of one kind of item.

    Parameters
    ----------
    asked : items whose answer was sought in this run: new, altered, open, or touched by a changed reference
    decisions : decision and how many items have it now
    reopened : decisions of people from under which the reference has changed
    reference_version, matcher_version : None where no reference is loaded, or nothing had to be matched
    """

    kind: str
    asked: int
    decisions: Mapping[str, int]
    reopened: int
    reference_version: str | None
    matcher_version: str | None
    fitted: bool = False


@dataclass(frozen=True)
class CodeReport:
    """What one coding did.

    Parameters
    ----------
    rows_counted : raw rows by which the use of items was brought up to date
    left : items that no list has and no bill names any longer
    waiting : questions that wait for a person
    uncoded : questions that may be answered: used items that nothing in the reference is like
    """

    kinds: tuple[KindCoded, ...]
    rows_counted: int
    left: int
    waiting: int
    uncoded: int
    seconds: float
    snapshot_id: int
    notes: tuple[Message, ...] = field(default=())

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no item."""
        return {
            "rows_counted": self.rows_counted,
            "left": self.left,
            "waiting": self.waiting,
            "uncoded": self.uncoded,
            "seconds": round(self.seconds, 3),
            "snapshot_id": self.snapshot_id,
            **{
                one.kind: {
                    "asked": one.asked,
                    **one.decisions,
                    "reopened": one.reopened,
                    "reference_version": one.reference_version,
                    "matcher_version": one.matcher_version,
                    "fitted": one.fitted,
                }
                for one in self.kinds
            },
            "notes": [str(note) for note in self.notes],
        }


def code(home: Home, *, now: datetime | None = None, anew: bool = False) -> CodeReport:
    """Code what hospitals list, bill and note, as far as it is not coded yet.

    Answers stand until the reference changes what they rest on; questions are asked again whenever the reference or the
    matcher changes, and what people decided is applied to all like items.

    Parameters
    ----------
    now : time of coding, with time zone; the references of its day are used
    anew : match everything again that no person has decided
    """
    started = datetime.now(UTC)
    at = now or started
    postgres.prepare(home)
    with coding.alone(home), lake.connect(home, memory=_MEMORY) as connection:
        raw.create_tables(home, connection)
        references.create_tables(home, connection)
        coding.create_tables(home, connection)
        counted = coding.count_usage(home, connection)
        coding.gather(connection)
        work = [_Kind(home, connection, kind, at, anew) for kind in KINDS]
        for one in work:
            one.run()
        rows = pa.Table.from_pylist([row for one in work for row in one.rows], schema=_schema())
        former = pa.Table.from_pylist([row for one in work for row in one.former], schema=coding.FORMER)
        current = [(one.kind, one.reference.version) for one in work if one.reference is not None]
        left = coding.settle(connection, rows=rows, former=former, current=current)
        asked = questions(connection, on=at.date())
        with postgres.connect(home) as register:
            asked += proposed(connection, register, on=at.date(), asked={one.like_id for one in asked})
            reviews.ask(register, asked, kinds=KINDS)
        decisions = _decisions(connection)
        snapshot = lake.snapshot(connection)
    return CodeReport(
        kinds=tuple(one.report(decisions) for one in work),
        rows_counted=counted,
        left=left,
        waiting=sum(one.state == "review" for one in asked),
        uncoded=sum(one.state == "none" for one in asked),
        seconds=(datetime.now(UTC) - started).total_seconds(),
        snapshot_id=snapshot,
        notes=_notes(work, decisions),
    )


class _Kind:
    """Codes the items of one kind."""

    def __init__(self, home: Home, connection: duckdb.DuckDBPyConnection, kind: str, at: datetime, anew: bool) -> None:
        self._home = home
        self._lake = connection
        self._at = at
        self._anew = anew
        self.kind = kind
        self.reference = references.in_force(connection, kind, on=at.date())
        self.rows: list[Row] = []
        self.former: list[Row] = []
        self._reopened = 0
        self._fitted: fit.Fitted | None = None
        self._version: str | None = None

    def run(self) -> None:
        """Find what has to be answered, and answer it."""
        self._reopen()
        with postgres.connect(self._home) as register:
            mine = [one for one in reviews.rulings(register, *_UNDER_REVIEW) if one.kind == self.kind]
        in_force = {ruling.like_id: ruling for ruling in mine if ruling.state == "in force"}
        # A person has spoken here and not finished: no machine answers in between.
        begun = {ruling.like_id: ruling.state for ruling in mine if ruling.like_id not in in_force}
        pairs = fit.labelled(list(in_force.values()), self.reference) if self.reference else None
        if self.reference is not None and pairs is not None:
            self._version = fit.version_of(self.reference, pairs)
        self.rows = self._work(in_force, begun)
        before = [(row, settled(row), row["reference_version"]) for row in self.rows]
        for row, like_id in zip(self.rows, like_ids(_said(self.rows), kind=self.kind), strict=True):
            row["like_id"] = like_id
        for row in self.rows:
            if row["like_id"] in in_force:
                rule(row, in_force[row["like_id"]])
        open_rows = [row for row in self.rows if row["like_id"] not in in_force]
        if self.reference is None or pairs is None:
            for row in open_rows:
                give(row, NOTHING)
        elif open_rows:
            self._match(open_rows, self.reference, pairs, begun)
        for row in self.rows:
            row["coded_at"] = self._at.astimezone(UTC).replace(tzinfo=None)
        self.former = self._former(before)

    def report(self, decisions: Mapping[tuple[str, str], int]) -> KindCoded:
        """Return what became of the kind."""
        return KindCoded(
            kind=self.kind,
            asked=len(self.rows),
            decisions={name: decisions.get((self.kind, name), 0) for name in ("auto", "review", "none", "decided")},
            reopened=self._reopened,
            reference_version=self.reference.version if self.reference else None,
            matcher_version=self._version,
            fitted=self._fitted is not None and self._fitted.is_new,
        )

    def _reopen(self) -> None:
        """Take back what people decided where the reference says something else now."""
        if self.reference is None:
            return
        with postgres.connect(self._home) as register:
            standing = [one for one in reviews.rulings(register, "in force", "proposed") if one.kind == self.kind]
            changed = {version: self._changed(version) for version in {one.reference_version for one in standing}}
            touched = [
                one.decision_id
                for one in standing
                if is_touched([one.code, *one.candidates], changed=changed[one.reference_version])
            ]
            reviews.reopen(register, touched, reference_version=self.reference.version)
        self._reopened = len(touched)

    def _former(self, before: Sequence[tuple[Row, str | None, str | None]]) -> list[Row]:
        """Return the codes that items lose because the reference changed; what is corrected was never so."""
        lost = [(row, code, version) for row, code, version in before if code and version and code != settled(row)]
        since = {
            version: references.changed_since(self._lake, self.kind, version, on=self._at.date())
            for version in {version for _, _, version in lost}
        }
        return [
            {**{name: row[name] for name in coding.KEY}, "code": code, "valid_to": since[version][code]}
            for row, code, version in lost
            if code in since[version]
        ]

    def _changed(self, version: str) -> frozenset[str]:
        if self.reference is None or version == self.reference.version:
            return frozenset()
        before = references.read_version(self._lake, self.kind, version)
        return changed_codes(before, self.reference.table, kind=self.kind)

    def _work(self, in_force: Mapping[str, Ruling], begun: Mapping[str, str]) -> list[Row]:
        """Return the items whose answer has to be sought."""
        reference = self.reference.version if self.reference else None
        held = self._lake.execute(
            "SELECT DISTINCT reference_version FROM present WHERE kind = $1 AND decision = 'auto' "
            "AND reference_version IS NOT NULL",
            [self.kind],
        ).fetchall()
        changed = [(version, found) for (version,) in held for found in self._changed(version)]
        self._register("changed_code", {"version": [v for v, _ in changed], "code": [c for _, c in changed]})
        self._register("ruled", {"like_id": list(in_force), "code": [ruling.code for ruling in in_force.values()]})
        self._register("begun", {"like_id": list(begun)})
        table = self._lake.execute(
            f"SELECT * EXCLUDE (line_count, money, billed_price) FROM present AS p WHERE kind = $kind AND ({_SOUGHT})",
            {"kind": self.kind, "reference": reference, "matcher": self._version, "anew": self._anew},
        ).to_arrow_table()
        rows: list[Row] = table.to_pylist()
        return rows

    def _register(self, name: str, columns: Mapping[str, Sequence[str | None]]) -> None:
        self._lake.register(name, pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()}))

    def _match(self, rows: list[Row], reference: Reference, pairs: pa.Table, begun: Mapping[str, str]) -> None:
        first = {row["like_id"]: row for row in rows}
        standing = self._standing(list(first))
        unknown = [row for like_id, row in first.items() if like_id not in standing]
        answers = dict(standing)
        if unknown:
            self._fitted = fit.fitted(self._home, reference, pairs, now=self._at, snapshot=lake.snapshot(self._lake))
            found = self._fitted.matcher.match(_asked(unknown, self.kind)).to_pylist()
            for row, answer in zip(unknown, found, strict=True):
                answers[row["like_id"]] = {**answer, "matcher_version": self._fitted.version}
        names = dict(zip(*(reference.table.column(name).to_pylist() for name in ("code", "name")), strict=True))
        for row in rows:
            lost = has_lost(row, names)
            give(row, {**answers[row["like_id"]], "reference_version": reference.version})
            weigh(row, names)
            if row["like_id"] in begun and row["decision"] != "review":
                row |= {"decision": "review", "reason": begun[row["like_id"]]}
            if lost and row["decision"] != "auto":
                row["reason"] = DROPPED
            if row["decision"] != "auto":
                # What stays open has been put to this matcher, also where a like item's answer was at hand.
                row["matcher_version"] = self._version

    def _standing(self, like_ids: Sequence[str]) -> dict[str, Row]:
        """Return the automatic answers that like items have and that stand."""
        self._register("wanted", {"like_id": like_ids})
        table = self._lake.execute(
            "SELECT like_id, any_value(code) AS code, any_value(confidence) AS confidence, 'auto' AS decision, "
            "any_value(reason) AS reason, any_value(alternatives) AS alternatives, "
            "any_value(matcher_version) AS matcher_version FROM present AS p SEMI JOIN wanted USING (like_id) "
            f"WHERE kind = $kind AND decision = 'auto' AND NOT ({_SOUGHT}) "
            "GROUP BY like_id HAVING count(DISTINCT code) = 1",
            {
                **{"kind": self.kind, "reference": self.reference.version if self.reference else None},
                **{"matcher": self._version, "anew": self._anew},
            },
        ).to_arrow_table()
        return {row.pop("like_id"): row for row in table.to_pylist()}


_SOUGHT = """
state <> 'known'
OR (decision IN ('review', 'none')
    AND (reference_version IS DISTINCT FROM $reference OR matcher_version IS DISTINCT FROM $matcher))
OR (decision <> 'decided' AND ($anew OR like_id IN (SELECT like_id FROM ruled)
    OR (decision <> 'review' AND like_id IN (SELECT like_id FROM begun))))
OR (decision = 'decided' AND NOT EXISTS
    (SELECT 1 FROM ruled AS r WHERE r.like_id = p.like_id AND r.code IS NOT DISTINCT FROM p.code))
OR (decision = 'auto' AND EXISTS
    (SELECT 1 FROM changed_code AS c WHERE c.version = p.reference_version
     AND (c.code = p.code OR list_contains([a.code FOR a IN p.alternatives], c.code))))
"""
"""Which items have to be answered: new or altered ones, questions that somebody new might answer, what a person decided
or may no longer have decided, and automatic answers that rest on a code of which the reference says something else."""


def _said(rows: Sequence[Row]) -> pa.Table:
    names = (*coding.KEY, *coding.ATTRIBUTE_COLUMNS)
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})


def _asked(rows: Sequence[Row], kind: str) -> pa.Table:
    columns = {"name": "medins_list_name", **{name: name for name in ATTRIBUTES[kind]}}
    return pa.table({name: pa.array([row[held] for row in rows], pa.string()) for name, held in columns.items()})


def _schema() -> pa.Schema:
    candidate = pa.struct([("code", pa.string()), ("name", pa.string()), ("confidence", pa.float64())])
    types = {
        "DOUBLE": pa.float64(), "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_(), "VARCHAR": pa.string(),
        "DECIMAL(18,6)": pa.decimal128(18, 6),
    }  # fmt: skip
    return pa.schema([(name, types.get(kind, pa.list_(candidate))) for name, kind in coding.TABLES["item"]])


def _decisions(connection: duckdb.DuckDBPyConnection) -> Mapping[tuple[str, str], int]:
    rows = connection.execute("SELECT kind, decision, count(*) FROM lake.coding.item GROUP BY ALL").fetchall()
    return Counter({(kind, decision): count for kind, decision, count in rows})


def _notes(work: Sequence[_Kind], decisions: Mapping[tuple[str, str], int]) -> tuple[Message, ...]:
    """Say once which kinds have items and no reference."""
    bare = [one.kind for one in work if one.reference is None and decisions.get((one.kind, "none"), 0)]
    if not bare:
        return ()
    listed = ", ".join(bare)
    return (
        Message(
            f"没有参考表，未编码：{listed}。用 headwater reference load 载入。",
            f"Not coded, as no reference is loaded: {listed}. Load one with headwater reference load.",
        ),
    )
