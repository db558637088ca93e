"""随来源动态演化模型 / Let the model evolve with its sources.

接着上月的状态逐月跟踪每个来源的价值：只询问新的内容，发现变点，按预算决定察看、降级、试用、加入，精确地减去或加入其统计量，
登记新版本；明显更好时移动 `champion`。新数据经检查与估值后运行，每月 5 日也运行；补跑（同时运行数填 1）结果相同。
先处理事件：要求退出者退出模型，预告的中断视为缺席。永久移除须人批准，由“审批来源移除”询问。勾选“预演”只看会发生什么。

Takes up where the last month stands: asks for what is new, notices changes, decides within budgets, subtracts or adds
statistics exactly and registers a version; `champion` moves when it is better beyond doubt. A backfill (one run at a
time) gives the same. First, whoever rang to withdraw leaves. A person decides about removal: review_evolution.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.knowledge.evolution`, `lake.knowledge.heard`, `ops.event`

**Writes / 写入**: `lake.knowledge.{evolution,evolution_month,heard,withdrawal}`, `ops.event`, `ops.audit`, an MLflow
version, the evolution report; assets `model_evolution`, and `removals_proposed` when a person must decide

**If it fails / 如果失败**: the log carries the refusal's code. `E-EVOLVE-SHORT`: too few months. Clear a run that ended
half-way, as by `E-REGISTER-WITHDRAWN`: it replaces what it wrote, and registers no version twice.
"""

from datetime import timedelta

from airflow.sdk import AssetAlias, AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from headwater.adapters.airflow import (
    DEFAULTS,
    EVOLUTION,
    KNOWLEDGE,
    PROPOSED,
    PROPOSED_ALIAS,
    VALUATION,
    Tag,
    announce,
    began,
    month_before,
    occasion,
    others,
    step_aside,
)

PARAMS = {
    **KNOWLEDGE,
    "month": Param(
        None,
        type=["null", "string"],
        pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$",
        title="月份 / Month",
        description="跟踪到该月；留空：到逻辑日期的上月，无则到最新。/ Empty: before the logical date, else newest.",
    ),
    "hours": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=10_000,
        title="每月人力（小时） / Hours a month",
        description="加入、试用、移除各计一小时；留空不限。/ To join, try or remove takes one; empty: no limit.",
    ),
    "bytes": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1_000_000_000_000,
        title="每月询问字节 / Bytes a month",
        description="下月询问来源的字节上限；留空不限。/ For asking sources in the next month; empty: no limit.",
    ),
    "dry_run": Param(
        False,
        type="boolean",
        title="预演 / Dry run",
        description="只报告会发生什么，不保存、不登记。/ Tell what would happen, keep and register nothing.",
    ),
}


@dag(
    dag_id="evolve_model",
    dag_display_name="10 适源动态演化 · Evolve model",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 4 5 * *", timezone="Asia/Shanghai", run_immediately=timedelta(0)),
        assets=[VALUATION],
    ),
    catchup=False,  # The next run follows missed months.
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.EVOLUTION],
    default_args=DEFAULTS,
)
def evolve_model() -> None:
    """Take what rang, follow and register, region by region, and say what is proposed."""

    @task(task_display_name="清空收件箱 · Drain the inbox", multiple_outputs=False)
    def drain_inbox(params: dict | None = None, dag_run=None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.drain import drain

        step_aside()
        if params["dry_run"]:
            return {}
        return announce(drain(Home.from_environment(), run=dag_run.run_id, at=began(), alone=not others("running")))

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(
        task_display_name="跟踪与更新 · Follow and update",
        map_index_template="{{ region }}",
        max_active_tis_per_dag=1,  # Of all runs together, the earliest first: a backfill may have several at work.
        multiple_outputs=False,
    )
    def evolve_region(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.evolution import Budgets
        from headwater.steps.evolve import evolve

        run = occasion(region=region, seed=params["seed"], month=params["month"] or month_before())
        limits = {name: params[of] for name, of in (("labour", "hours"), ("bytes", "bytes")) if params[of] is not None}
        chosen = {"task": params["task"], "budgets": Budgets(**limits), "dry": params["dry_run"]}
        return announce(evolve(Home.from_environment(), run=run, **chosen))

    @task(
        task_display_name="宣布 · Announce",
        trigger_rule="all_done_min_one_success",
        outlets=[EVOLUTION, AssetAlias(PROPOSED_ALIAS)],
    )
    def publish(done: list[dict], params: dict | None = None, outlet_events: dict | None = None, dag_run=None) -> None:
        from headwater.adapters.home import Home
        from headwater.steps.drain import finish

        if params["dry_run"]:
            raise AirflowSkipException("预演，不宣布。 / A dry run announces nothing.")
        # What a backfill proposes, its next month decides anew: the last one asks.
        if (proposed := [one["region"] for one in done if one["proposals"]]) and not others("queued"):
            outlet_events[AssetAlias(PROPOSED_ALIAS)].add(PROPOSED, extra={"task": params["task"], "regions": proposed})
        regions = [one["region"] for one in done]
        finish(Home.from_environment(), run=dag_run.run_id, task=params["task"], followed=regions)

    drain_inbox() >> (found := list_regions())
    publish(evolve_region.expand(region=found))


evolve_model()
