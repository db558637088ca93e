"""落地各来源的投递文件 / Land what the sources delivered.

对每个已声明的来源：按 SHA-256 落地文件，按来源契约映射列，校验后装入 `raw`；
不能装入的行进入隔离区并给出中英文原因与改法。每批：收到的行数 = 装入 + 隔离 + 重复，金额同样相等，由数据库约束保证。
同一文件落地两次不改变任何东西。收件目录的 `reference/` 中的参考表成为带生效日的新版本。
同名文件重新送达而行数减少超过 5% 的先搁置，由“审批缩减的送报”询问，其余照常进行。

For each declared source: files are landed by SHA-256, columns mapped by the source's contract, rows validated and
loaded into `raw`; a row that cannot be loaded is quarantined with its reason and a suggested fix in Chinese and
English. In every batch rows in = loaded + quarantined + duplicate, and money the same, enforced by the database.
References in the inbox's `reference/` become new versions, each from its day on.
A file that comes again with over 5 % fewer rows is held, review_deliveries asks about it, and everything else goes on.

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: deliveries folder (`<HEADWATER_HOME>/deliveries` unless the form names another), contracts in
`dbt_project/models/staging/<source>/`

**Writes / 写入**: `lake.raw.*`, `lake.raw.quarantine`, `lake.reference.*`, `ops.batch`; asset `lake_raw` when anything
new arrived, asset `files_held` when a file is held

**If it fails / 如果失败**: the red mapped task carries the source's name and its log the code of the refusal. Mend
the file or the contract and trigger again: what is landed already is left as it is, other sources are not held up.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import AssetAlias, CronTriggerTimetable, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from headwater.adapters.airflow import DEFAULTS, HELD, HELD_ALIAS, RAW, Balance, Tag, announce

PARAMS = {
    "deliveries": Param(
        None,
        type=["null", "string"],
        title="投递目录 / Deliveries folder",
        description="服务器上的绝对路径，留空用默认收件目录。/ Absolute path on the server; empty: the default inbox.",
        pattern="^/",
        maxLength=1000,
    ),
    "sources": Param(
        [],
        type="array",
        items={"type": "string"},
        title="来源 / Sources",
        description="每行一个来源代码，留空则为全部。/ One source code a line; empty for all.",
    ),
    "always_continue": Param(
        False,
        type="boolean",
        title="没有新数据也继续 / Continue without news",
        description="没有新文件时也触发后续建库。/ Start the later stages even if no new file arrived.",
    ),
}


@dag(
    dag_id="ingest_deliveries",
    dag_display_name="01 落地投递文件 · Ingest deliveries",
    doc_md=__doc__,
    # A stack that starts after two o'clock waits for the next night: False would make up a run within 2.4 hours.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="Asia/Shanghai", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.INGEST],
    default_args=DEFAULTS,
)
def ingest_deliveries() -> None:
    """List the sources, land each in a task of its own, then sum up and announce."""

    @task(task_display_name="列出来源 · List sources")
    def list_sources(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps import land

        home = Home.from_environment()
        folder = Path(params["deliveries"] or home.deliveries)
        found = params["sources"] or land.sources(home, folder)
        if not found:
            raise AirflowSkipException(f"{folder}：没有已声明来源的目录。 / No declared source has a folder here.")
        return found

    @task(
        task_display_name="落地一个来源 · Land one source",
        map_index_template="{{ source }}",
        max_active_tis_per_dagrun=2,
        multiple_outputs=False,
    )
    def land_source(source: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.land import land

        get_current_context()["source"] = source
        home = Home.from_environment()
        return announce(land(home, deliveries=Path(params["deliveries"] or home.deliveries), sources=[source]))

    @task(task_display_name="装入参考表 · Load references", multiple_outputs=False)
    def load_reference(params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.reference import ReferenceReport, supplied

        home = Home.from_environment()
        report = supplied(home, Path(params["deliveries"] or home.deliveries))
        return announce(report or ReferenceReport())

    # A source that failed is named and left out; the others go on.
    @task(
        task_display_name="汇总并宣布 · Sum up",
        trigger_rule="all_done_min_one_success",
        outlets=[RAW, AssetAlias(HELD_ALIAS)],
        multiple_outputs=False,
    )
    def sum_up(
        landed: list[dict], references: dict | None, params: dict | None = None, outlet_events: dict | None = None
    ) -> dict:
        total = announce(Balance.of(landed))
        if total["held"]:
            told = {"held": total["held"], "deliveries": params["deliveries"]}
            outlet_events[AssetAlias(HELD_ALIAS)].add(HELD, extra=told)
        if not total["files"] and not (references or {}).get("loaded") and not params["always_continue"]:
            raise AirflowSkipException("没有新文件，后续阶段不启动。 / No new file; the later stages are not started.")
        return total

    sum_up(land_source.expand(source=list_sources()), load_reference())


ingest_deliveries()
