"""What went wrong while nobody watched: one row a failed task, kept where the console can show it."""

from dataclasses import dataclass
from datetime import datetime

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.errors import HeadwaterError

__all__ = ["Incident", "newest", "record"]

_SCHEMA = """
create schema if not exists ops;
create table if not exists ops.incident (
    incident_id bigint generated always as identity primary key,
    dag_id text not null,
    task_id text not null,
    run_id text not null,
    code text not null,
    reason_zh text not null,
    reason_en text not null,
    remedy_zh text not null,
    remedy_en text not null,
    happened_at timestamptz not null default now()
)
"""


@dataclass(frozen=True)
class Incident:
    """One failed task."""

    dag_id: str
    task_id: str
    code: str
    reason_zh: str
    reason_en: str
    remedy_zh: str
    remedy_en: str
    happened_at: datetime


def record(*, dag_id: str, task_id: str, run_id: str, error: BaseException | None) -> None:
    """File one failure; a refusal keeps its own words, anything else is named by its type only.

    The text of a foreign exception may quote a record, so it stays in the task's log.
    """
    if isinstance(error, HeadwaterError):
        words = (error.code, error.reason.zh, error.reason.en, error.remedy.zh, error.remedy.en)
    else:
        name = type(error).__name__
        words = (
            f"E-{name}",
            f"任务因 {name} 失败。",
            f"The task failed with {name}.",
            "请看任务日志。",
            "See the task's log.",
        )
    with postgres.connect(Home.from_environment()) as connection:
        connection.execute(_SCHEMA)
        connection.execute(
            "insert into ops.incident (dag_id, task_id, run_id, code, reason_zh, reason_en, remedy_zh, remedy_en)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            (dag_id, task_id, run_id, *words),
        )


def newest(home: Home, *, limit: int = 10, days: int = 7) -> list[Incident]:
    """Return the failures of the last ``days``, newest first."""
    with postgres.connect(home) as connection:
        connection.execute(_SCHEMA)
        rows = connection.execute(
            "select dag_id, task_id, code, reason_zh, reason_en, remedy_zh, remedy_en, happened_at"
            " from ops.incident where happened_at > now() - make_interval(days => %s)"
            " order by incident_id desc limit %s",
            (days, limit),
        ).fetchall()
    return [Incident(*row) for row in rows]
