"""What tests of versions and withdrawals share: runs one after the other, and what an installation holds after them."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from headwater.adapters import audit, held, mlflow, postgres
from headwater.adapters.held import Held
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SIGNED = ("王", "as they asked")
"""Who has withdrawals entered, and why."""


class Occasions:
    """Runs, each a minute after the one before.

    >>> first, second = map(Occasions("甲"), "ab")
    >>> second.at - first.at == timedelta(minutes=1)
    True
    """

    def __init__(self, region: str | None = None) -> None:
        self._region, self._minutes = region, count(1)

    def __call__(self, name: str, *, region: str | None = None) -> Run:
        return Run(name, AT + timedelta(minutes=next(self._minutes)), 3, region or self._region)


def entries(home: Home, kind: str) -> list[dict[str, Any]]:
    """Return what the audit log tells of a kind, with the numbers of the entries."""
    with postgres.connect(home) as connection:
        return [{"number": one.number, **json.loads(one.body)} for one in audit.entries(connection, kind=kind)]


def said(home: Home, version: mlflow.Version) -> Held | None:
    """Return what is held of the members of a version."""
    with postgres.connect(home) as connection:
        return held.load(connection, version.name, version.number)
