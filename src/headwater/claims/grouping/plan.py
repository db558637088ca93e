"""A plan: loaded from a folder of tables, it groups stays."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from headwater.claims.grouping.compiling import compiled
from headwater.claims.grouping.facts import read_stays
from headwater.claims.grouping.folder import is_folder, read_folder
from headwater.claims.grouping.published import is_published, read_published
from headwater.claims.grouping.reasons import REASON_TYPE
from headwater.claims.grouping.tables import PlanTables
from headwater.claims.grouping.telling import Pool
from headwater.claims.grouping.walking import walk
from headwater.errors import Message, Refusal

__all__ = ["Plan", "load_plan"]

_BATCH = 65_536
_SCHEMA = pa.schema(
    [*((name, pa.string()) for name in ("mdc", "adrg", "drg", "status")), ("reasons", pa.list_(REASON_TYPE))]
)


class Plan:
    """A grouping plan, compiled.

    Parameters
    ----------
    tables : what the plan says

    Attributes
    ----------
    name : what the plan calls itself
    version : beginning of the SHA-256 of its content, equal for equal content in whatever layout
    compiled : codes as numbers, lists as bits, rules as trees
    """

    def __init__(self, tables: PlanTables) -> None:
        self.tables = tables
        self.name, self.version = tables.name, tables.digest()
        self.compiled = compiled(tables)
        ways, groups = {way.code: way.rule for way in tables.adrgs}, {drg.code: drg.rule for drg in tables.drgs}
        self._pool = Pool(self.compiled, ways, groups)

    @cached_property
    def drgs(self) -> pa.Table:
        """Every DRG: ``code``, ``name``, ``adrg``, ``mdc``."""
        above = {adrg.code.split("_")[0]: adrg.within for adrg in self.tables.adrgs}
        rows = [(drg.code, drg.name, drg.adrg, above[drg.adrg]) for drg in self.tables.drgs]
        names = ("code", "name", "adrg", "mdc")
        return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Names of codes and groups, where the plan gives them."""
        groups = {entry.code: entry.name for entry in (*self.tables.mdcs, *self.tables.adrgs)}
        groups |= {drg.code: drg.name for drg in self.tables.drgs}
        return {**self.tables.diagnoses, **self.tables.operations, **groups}

    def group(self, stays: pa.Table) -> pa.Table:
        """Group stays.

        Parameters
        ----------
        stays : one row a stay with ``diagnoses`` and ``operations`` (lists of text, the principal or first one first)
            and, where rules ask for them, ``gend`` (1 male, 2 female), ``age`` (years), ``age_days`` (since birth),
            ``weight`` (g, at birth or admission), ``ipt_days`` and ``dscg_way``. Text, numbers, dictionaries, large
            and chunked columns are read alike; other columns are left alone.

        Returns
        -------
        pyarrow.Table
            Row for row ``mdc``, ``adrg``, ``drg`` (null where there is none), ``status`` (of ``STATUSES``) and
            ``reasons``, a list of ``{step, code, detail, other}`` in the order in which they were met.

        Raises
        ------
        Refusal
            ``E-GROUP-TABLE`` where a column is missing or of a wrong type. No value of a right type raises anything.
        """
        read = read_stays(stays, self.compiled.diagnoses, self.compiled.operations)
        starts = range(0, len(read), _BATCH)
        parts = [walk(self.compiled, self._pool, read.slice(at, min(at + _BATCH, len(read)))) for at in starts]
        return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()

    def near(self, stays: pa.Table, *, most: int = 3) -> pa.Table:
        """Ask of every stay what would have to differ to land in another group; see ``nearing.near``."""
        # Only here, as nearing groups what it proposes.
        from headwater.claims.grouping.nearing import near

        return near(self, stays, most=most)


def load_plan(path: Path | str) -> Plan:
    """Load a plan from its folder, in headwater's own layout or in the published one.

    Raises
    ------
    Refusal
        ``E-PLAN-FILE`` where the folder holds no plan or a table cannot be read, ``E-PLAN-TABLE`` where tables do not
        fit together, ``E-PLAN-RULE`` where a rule cannot be read, with the place of the fault.
    """
    folder = Path(path)
    for is_one, read in ((is_folder, read_folder), (is_published, read_published)):
        if is_one(folder):
            return Plan(read(folder))
    reason = Message("{path} 不是分组方案文件夹。", "{path} holds no grouping plan.")
    remedy = Message("应含 plan.yml 或 rules.json。", "A plan has a plan.yml, or a rules.json as published.")
    raise Refusal("E-PLAN-FILE", reason.format(path=folder.name), remedy)
