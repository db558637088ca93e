"""The walk of many stays through a plan: MDC by MDC, ADRG by ADRG, DRG by DRG; the first that admits a stay has it."""

import numpy as np
import pyarrow as pa

from headwater.claims.grouping.codebook import EXACT, MAPPED, RESPELLED, UNKNOWN
from headwater.claims.grouping.compiling import Adrg, Compiled, Drg, Mdc, Scope
from headwater.claims.grouping.evaluating import Batch, Flags, Rows
from headwater.claims.grouping.facts import Stays
from headwater.claims.grouping.grammar import Comparison, Fact, atoms
from headwater.claims.grouping.telling import Answers, Pool

__all__ = ["walk"]


def walk(plan: Compiled, pool: Pool, stays: Stays) -> pa.Table:
    """Group n stays; n is at most 65,536, so that rows are sorted by counting."""
    return _Walk(plan, pool, stays).through()


class _Walk:
    """One walk: the stays, what rules ask of them and what they are told."""

    def __init__(self, plan: Compiled, pool: Pool, stays: Stays) -> None:
        self.plan, self.pool, self.stays = plan, pool, stays
        self.batch, self.answers = Batch(plan, stays), Answers.of(len(stays))
        # Behind the pool stand the texts as delivered, for what is told of spellings.
        self.diagnoses = len(pool.texts)
        self.operations = self.diagnoses + len(stays.diagnoses.spelled.texts)

    def through(self) -> pa.Table:
        """Walk through the whole plan."""
        delivered = [self.stays.diagnoses.spelled.texts, self.stays.operations.spelled.texts]
        self.tell_codes("diagnosis")
        self.tell_codes("operation")
        headless = self.stays.diagnoses.headless
        self.answers.become(np.flatnonzero(headless), "invalid")
        self.answers.tell(np.flatnonzero(headless), "principal_missing")
        rows = np.flatnonzero(~headless)
        for mdc in self.plan.mdcs:
            rows = self.through_mdc(mdc, rows) if len(rows) else rows
        principal = self.stays.diagnoses.text[self.stays.diagnoses.offsets[rows]]
        self.answers.tell(rows, "mdc_none", self.diagnoses + principal)
        self.tell_complications()
        return self.answers.table(pa.chunked_array([self.pool.texts, *delivered], pa.string()).combine_chunks())

    def through_mdc(self, mdc: Mdc, rows: Rows) -> Rows:
        """Let the MDC take what it admits; return the rows that remain."""
        inside = self.batch.holds(mdc.rule, mdc.scope, rows)
        left, outside = rows[inside], rows[~inside]
        self.tell_held_back(mdc, outside)
        for adrg in mdc.adrgs:
            if not len(left):
                return outside
            hit = self.batch.holds(adrg.rule, adrg.scope, left)
            if hit.any():
                taken, left = left[hit], left[~hit]
                self.into(mdc, adrg, taken)
            self.tell_lacking(adrg, left)
        self.answers.tell(left, "mdc_left", self.pool.place[mdc.code])
        return np.sort(np.concatenate((outside, left))) if len(left) else outside

    def into(self, mdc: Mdc, adrg: Adrg, rows: Rows) -> None:
        """Put rows into an ADRG and the first of its DRGs that admits them."""
        answers, place = self.answers, self.pool.place
        answers.mdc[rows], answers.adrg[rows] = place[mdc.code], place[adrg.code]
        answers.tell(rows, "mdc", place[mdc.code])
        answers.tell(rows, "adrg", place[adrg.code], self.pool.ways[adrg.entry])
        if adrg.asks:
            answers.asking.append(rows)
        for drg in adrg.drgs:
            hit = self.batch.holds(drg.rule, drg.scope, rows)
            taken, rows = rows[hit], rows[~hit]
            answers.drg[taken] = place[drg.code]
            answers.become(taken, adrg.status)
            answers.tell(taken, "drg", place[drg.code], self.pool.groups[drg.code])
            if not len(rows):
                return
            self.tell_lacking(drg, rows)
        answers.tell(rows, "drg_none", place[adrg.code])

    def tell_held_back(self, mdc: Mdc, rows: Rows) -> None:
        """Tell the rows that only a number kept out which number it was, and whether it was missing."""
        asked: dict[str, list[Comparison]] = {}
        for atom in atoms(mdc.rule):
            for side in (atom.left, atom.right) if isinstance(atom, Comparison) else ():
                if isinstance(side, Fact) and isinstance(atom, Comparison):
                    asked.setdefault(side.name, []).append(atom)
        if not asked or not len(rows):
            return
        rows = rows[self.batch.holds(mdc.rule, mdc.scope, rows, compared=_granted)]
        place = self.pool.place
        for name, compared in asked.items():
            missing = np.isnan(self.stays.numbers[name][rows])
            failing = ~np.logical_and.reduce([self.batch.holds(atom, mdc.scope, rows) for atom in compared])
            self.answers.tell(rows[missing], "fact_missing", place[mdc.code], place[name])
            self.answers.tell(rows[failing & ~missing], "fact_against", place[mdc.code], place[name])

    def tell_lacking(self, group: Adrg | Drg, rows: Rows) -> None:
        """Tell the rows that would be in the group, were it not for a number that they lack, which number it is."""
        missing = {name: np.isnan(self.stays.numbers[name][rows]) for name in group.facts}
        if not missing:
            return
        some = np.logical_or.reduce(list(missing.values()))
        if not some.any():
            return
        rows = rows[some]
        closed = self.batch.holds(group.rule, group.scope, rows, compared=self.batch.compared_or_lacking)
        for name, lacks in missing.items():
            told = rows[closed & lacks[some]]
            self.answers.tell(told, "fact_missing", self.pool.place[group.code], self.pool.place[name])

    def tell_complications(self) -> None:
        """Tell which secondary diagnosis decides, the first of the highest level, and which are excluded."""
        row, place, level, excluded = self.batch.complications
        wanted = np.zeros(len(self.stays), bool)
        wanted[np.concatenate([*self.answers.asking, np.zeros(0, np.int64)])] = True
        codes = self.stays.diagnoses.spelled.codes[self.stays.diagnoses.text]
        out = excluded & wanted[row]
        self.answers.tell(row[out], "excluded", codes[place[out]], self.batch.principal()[row[out]])
        for code, value in (("mcc", 2), ("cc", 1)):
            counts = np.flatnonzero(((level & value) != 0) & wanted[row])
            deciding = counts[np.diff(row[counts], prepend=-1) > 0]
            self.answers.tell(row[deciding], code, codes[place[deciding]])
            wanted[row[deciding]] = False

    def tell_codes(self, kind: str) -> None:
        """Tell which codes were not read as they stand."""
        coded = self.stays.diagnoses if kind == "diagnosis" else self.stays.operations
        delivered, names = (self.diagnoses, 0) if kind == "diagnosis" else (self.operations, self.pool.operations)
        how = coded.spelled.how[coded.text]
        odd = np.flatnonzero(how != EXACT)
        owner = np.searchsorted(coded.offsets, odd, side="right") - 1
        for code, value in (("respelled", RESPELLED), ("mapped", MAPPED), ("unknown", UNKNOWN)):
            some = how[odd] == value
            text = coded.text[odd[some]]
            read = names + coded.spelled.codes[text] if value != UNKNOWN else np.full(len(text), -1, np.int32)
            self.answers.tell(owner[some], f"{kind}_{code}", delivered + text, read)


def _granted(_rule: Comparison, _scope: Scope, rows: Rows) -> Flags:
    """Take a comparison for true, to see whether it was in the way."""
    return np.ones(len(rows), bool)
