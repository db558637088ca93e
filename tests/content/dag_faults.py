"""Runs DAGs in which hospitals are not there, or a tier cannot be opened; nothing is tried twice."""

from collections.abc import Sequence

import dag_run

from headwater.adapters import airflow
from headwater.errors import Message
from headwater.federation import SourceFault, TableSource
from headwater.federation.source import Description
from headwater.steps import open_tier

SAID = Message("不在", "not there")
describe, opens = TableSource.describe, open_tier._opened


def fail(*, silent: Sequence[str], broken: str) -> None:
    """Let these hospitals be silent and this tier broken, and no other."""

    def described(source: TableSource) -> Description:
        if source.source_id in silent:
            raise SourceFault("E-TEST", SAID, SAID)
        return describe(source)

    def opened(home, joint, there, tier: str):
        if tier == broken:
            raise SourceFault("E-TEST", SAID, SAID)
        return opens(home, joint, there, tier)

    TableSource.describe = described
    open_tier._opened = opened


airflow.DEFAULTS["retries"] = 0
dag_run.main(fail)
