"""按分组方案为住院分组 / Group stays by the plan that holds.

对自上次以来变化的住院（方案、支付政策或编码变化时为全部住院），按其出院日有效的政策所用的分组方案入组：MDC、ADRG、DRG；
不能入组的写明到哪一步、为什么。入组、未入组、无效三者之和等于住院数，由步骤核对。

Stays that changed since the last run (all of them when a plan, a policy or settled codes changed) are grouped by the
plan of the policy that holds on the day of discharge: MDC, ADRG, DRG. A stay that cannot be grouped says at which step
and why. Grouped, ungroupable and invalid stays sum to the stays, which the step verifies.

**Owner / 负责**: headwater · 支付组

**Reads / 读取**: `lake.marts.fct_stay`, `lake.raw.{diagnosis,operation}`, `lake.coding.item`, plans in
`dbt_project/plans/`, policies in `dbt_project/policies/`

**Writes / 写入**: `lake.grouping.stay`; asset `lake_grouping`

**If it fails / 如果失败**: the log carries the refusal's code and names the plan or policy. Groups are replaced in one
transaction, so nothing is half grouped: mend the file, see it with `headwater grouper list` or
`headwater policy check`, and trigger again.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import DEFAULTS, GROUPED, MARTS, Tag, announce

PARAMS = {
    "anew": Param(
        False,
        type="boolean",
        title="全部重新分组 / Group everything again",
        description="不论是否变化，全部住院重新分组。/ Group all stays again, changed or not.",
    ),
}


@dag(
    dag_id="group_stays",
    dag_display_name="04 病例分组 · Group stays",
    doc_md=__doc__,
    schedule=[MARTS],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.GROUPING],
    default_args=DEFAULTS,
)
def group_stays() -> None:
    """Group all regions in one task."""

    @task(task_display_name="分组 · Group", outlets=[GROUPED], multiple_outputs=False)
    def group(params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.group import group

        return announce(group(Home.from_environment(), anew=params["anew"]))

    group()


group_stays()
