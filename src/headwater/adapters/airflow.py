"""What every DAG shares: assets, tags, defaults, the record of a failure. Cheap to import, as Airflow parses often."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, BaseOperatorLink, Param, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from headwater.errors import Message, Refusal

if TYPE_CHECKING:
    from headwater.adapters.knowledge import Run

__all__ = [
    "ASSETS", "CODED", "DEFAULTS", "EVOLUTION", "GROUPED", "HELD", "HELD_ALIAS", "INDICATORS", "KNOWLEDGE", "MARTS",
    "MODEL", "PRICED", "PROPOSED", "PROPOSED_ALIAS", "QUALITY", "RAW", "VALUATION", "WAREHOUSE_POOL", "Balance",
    "QualityLinkEn", "QualityLinkZh", "Tag", "announce", "began", "month_before", "must_pass", "occasion",
    "open_questions", "others", "report_failure", "show", "step_aside",
]  # fmt: skip

RAW = Asset(name="lake_raw", uri="headwater://lake/raw", extra={"zh": "已落地的原始数据", "en": "landed raw data"})
CODED = Asset(name="lake_coding", uri="headwater://lake/coding", extra={"zh": "已编码的项目", "en": "coded items"})
MARTS = Asset(name="lake_marts", uri="headwater://lake/marts", extra={"zh": "数据集市", "en": "marts"})
GROUPED = Asset(
    name="lake_grouping", uri="headwater://lake/grouping", extra={"zh": "已分组的住院", "en": "grouped stays"}
)
PRICED = Asset(name="lake_payment", uri="headwater://lake/payment", extra={"zh": "已定付的住院", "en": "priced stays"})
INDICATORS = Asset(name="lake_indicators", uri="headwater://lake/indicators", extra={"zh": "指标", "en": "indicators"})
QUALITY = Asset(
    name="quality_verdict", uri="headwater://lake/quality", extra={"zh": "质量结论", "en": "quality verdict"}
)
VALUATION = Asset(
    name="source_valuation", uri="headwater://lake/knowledge/valuation", extra={"zh": "来源价值", "en": "source values"}
)
MODEL = Asset(name="model_version", uri="headwater://mlflow/model", extra={"zh": "模型版本", "en": "model version"})
EVOLUTION = Asset(
    name="model_evolution",
    uri="headwater://lake/knowledge/evolution",
    extra={"zh": "模型演化", "en": "model evolution"},
)
ASSETS = (RAW, CODED, MARTS, GROUPED, PRICED, INDICATORS, QUALITY, VALUATION, MODEL, EVOLUTION)
"""In the order in which one causes the next; evolution is caused by the valuation, like the model."""

HELD = Asset(
    name="files_held", uri="headwater://deliveries/held", extra={"zh": "待审批的送报", "en": "held deliveries"}
)
"""Beside the chain: files that wait for a decision. Whoever holds any adds it to the alias of this name."""
HELD_ALIAS = "files_held_alias"

PROPOSED = Asset(
    name="removals_proposed",
    uri="headwater://lake/knowledge/evolution/proposed",
    extra={"zh": "待审批的移除", "en": "proposed removals"},
)
"""Beside the chain: what an evolution proposes and a person must approve. Whoever proposes adds it to this alias."""
PROPOSED_ALIAS = "removals_proposed_alias"

_ZONE = ZoneInfo("Asia/Shanghai")
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})

WAREHOUSE_POOL = "warehouse"
"""One slot: the same dbt model built twice at the same moment conflicts."""


KNOWLEDGE: Mapping[str, Param] = {
    "task": Param(
        "stay_cost",
        type="string",
        enum=["stay_cost"],
        title="任务 / Task",
        description="stay_cost：住院费用。/ stay_cost: cost of a stay.",
    ),
    "region": Param(
        None,
        type=["null", "string"],
        maxLength=100,
        title="统筹区 / Region",
        description="留空则对每个来源足够的统筹区各做一次。/ Empty: once for every region with enough sources.",
    ),
    "seed": Param(
        20260101,
        type="integer",
        minimum=0,
        maximum=2**32 - 1,
        title="随机种子 / Random seed",
        description="同一种子给出同一结果。/ The same seed gives the same result.",
    ),
}
"""What every DAG of valuation, aggregation and evolution asks: of which task and region, and with which seed."""


class Tag(StrEnum):
    """The tags a DAG may carry; every DAG carries ``HEADWATER`` and the tag of its stage."""

    HEADWATER = "headwater"
    INGEST = "ingest"
    CODING = "coding"
    WAREHOUSE = "warehouse"
    GROUPING = "grouping"
    PAYMENT = "payment"
    INDICATORS = "indicators"
    QUALITY = "quality"
    VALUATION = "valuation"
    AGGREGATION = "aggregation"
    EVOLUTION = "evolution"


class _Report(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


class QualityLinkZh(BaseOperatorLink):
    """Button on a task that opens the Chinese quality report."""

    name = "质量报告"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the report inside the console."""
        return "/headwater/quality?lang=zh-CN"


class QualityLinkEn(BaseOperatorLink):
    """Button on a task that opens the English quality report."""

    name = "Quality report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the report inside the console."""
        return "/headwater/quality?lang=en"


def announce(report: _Report) -> dict[str, Any]:
    """Log a report one fact a line and return its small, JSON-safe values for XCom."""
    values = report.to_dict()
    for line in _lines(values):
        logging.getLogger("headwater").info(line)
    return values


def must_pass(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return a quality verdict that lets the chain go on, refuse one that does not."""
    if verdict["success"]:
        return verdict
    raise Refusal(
        "E-QUALITY",
        Message("有 {n} 条错误级规则未满足。", "{n} rules of severity error are unmet.").format(n=verdict["errors"]),
        Message("请打开质量报告，按其中的改法处理。", "Open the quality report and mend what it names."),
    )


def occasion(*, region: str, seed: int, month: str | None = None) -> "Run":
    """Return the occasion of the running task: repeated under the same run, a step replaces what it wrote.

    Parameters
    ----------
    month : as ``2026-01``, the last one that is known; None for all
    """
    from headwater.adapters.knowledge import Run

    run = show(region=region)["dag_run"]
    until = date.fromisoformat(f"{month}-01") if month else None
    return Run(name=f"{run.run_id} {region}", at=began(), seed=seed, region=region, month=until)


def began() -> datetime:
    """Return when the running task's run began: what a backfill is made up for may be years ago."""
    run = show()["dag_run"]
    at: datetime = run.start_date or run.run_after
    return at


def others(state: Literal["queued", "running"]) -> int:
    """Return how many other runs of the running task's DAG are in a state.

    ``max_active_runs`` of a DAG does not count runs of backfills, which have a limit of their own.
    """
    context = show()
    found: int = context["ti"].get_dr_count(context["dag_run"].dag_id, states=[state])
    return found - (state == "running")


def step_aside() -> None:
    """Skip a run on schedule while others of its DAG are at work or wait.

    As soon as a backfill is asked for, Airflow makes one up for the newest date: it would do at once what the backfill
    does month after month.
    """
    if show()["dag_run"].run_type == "scheduled" and (others("running") or others("queued")):
        raise AirflowSkipException("其他运行正在进行或等待。 / Other runs are at work or wait.")


def open_questions(task_id: str, *, listed: str) -> list[Any]:
    """Return what other runs of this DAG wait for an answer about.

    Parameters
    ----------
    task_id : the mapped task that asks
    listed : the task that returned the list over which it is mapped
    """
    context = show()
    instance, run = context["ti"], context["dag_run"]
    found = []
    for run_id, states in instance.get_task_states(run.dag_id, task_ids=[task_id]).items():
        places = [name.removeprefix(f"{task_id}_") for name, state in states.items() if state not in _ENDED]
        if run_id != run.run_id and (numbers := [int(place) for place in places if place.isdecimal()]):
            asked = instance.xcom_pull(task_ids=listed, run_id=run_id)
            found += [asked[number] for number in numbers]
    return found


def month_before() -> str | None:
    """Return the month before the running task's logical date, as ``2026-01``; None where the run has none."""
    logical = show().get("logical_date")
    if logical is None:
        return None
    first = logical.astimezone(_ZONE).date().replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def show(**named: str) -> dict[str, Any]:
    """Give the template of the running task's map index what it shows, and return the task's context."""
    context: dict[str, Any] = get_current_context()  # type: ignore[assignment]
    context.update(named)
    return context


def report_failure(context: Mapping[str, Any]) -> None:
    """Say in both languages which task failed and where to look, and file it among the incidents."""
    instance, error = context["task_instance"], context.get("exception")
    logging.getLogger("headwater").error(
        "任务失败，请按 DAG 文档“如果失败”处理 / task failed, see 'If it fails' in the DAG's docs: %s.%s %s: %s",
        instance.dag_id, instance.task_id, instance.run_id, error,
    )  # fmt: skip
    # The database driver is imported by a failing task only, never by a parsing process.
    from headwater.adapters import incidents

    incidents.record(dag_id=instance.dag_id, task_id=instance.task_id, run_id=instance.run_id, error=error)


@dataclass(frozen=True)
class Balance:
    """The sums of several landings.

    Parameters
    ----------
    counts : files and rows by name
    money : amounts by name
    refused : files that could not be read, each with its reason
    held : files that wait for a decision, each with its reason
    """

    counts: Mapping[str, int]
    money: Mapping[str, Decimal]
    refused: tuple[str, ...]
    held: tuple[str, ...]

    @classmethod
    def of(cls, landed: Iterable[Mapping[str, Any]]) -> "Balance":
        """Add up what landing tasks returned and refuse sums that do not balance."""
        reports = list(landed)
        kinds = ("in", "loaded", "quarantined", "duplicate")
        names = ("files", "unchanged", *(f"rows_{kind}" for kind in kinds))
        balance = cls(
            counts={name: sum(int(report[name]) for report in reports) for name in names},
            money={f"money_{kind}": sum((Decimal(r[f"money_{kind}"]) for r in reports), Decimal(0)) for kind in kinds},
            refused=tuple(text for report in reports for text in report["refused"]),
            held=tuple(text for report in reports for text in report["held"]),
        )
        for unit, sums in (("rows", balance.counts), ("money", balance.money)):
            total, parts = sums[f"{unit}_in"], [sums[f"{unit}_{kind}"] for kind in kinds[1:]]
            if total != sum(parts):
                raise Refusal(
                    "E-BALANCE",
                    Message(f"{unit} 不平衡：{total} ≠ {parts}。", f"{unit} do not balance: {total} is not {parts}."),
                    Message("请把任务日志交给维护者。", "Hand the task's log to a maintainer."),
                )
        return balance

    def to_dict(self) -> dict[str, Any]:
        """Return the sums with money as decimal text."""
        money = {name: str(value) for name, value in self.money.items()}
        return {**self.counts, **money, "refused": list(self.refused), "held": list(self.held)}


DEFAULTS: Mapping[str, Any] = {
    "owner": "headwater",
    "retries": 1,
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(hours=2),
    "on_failure_callback": report_failure,
}
"""``default_args`` of every DAG; one that needs another value says why beside it."""


def _lines(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key} = {value}")
    return lines
