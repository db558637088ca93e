"""评估来源价值并择优 / Value the sources and choose among them.

每个任务、统筹区、月份一次估值，重跑即替换；填写“月份”可补估以往月份。各医院以可加统计量作答，回答先与已付理赔核对；
再计算各来源的价值，按家数、字节、ε 或金额预算择优，并给出证书与每家一句话的理由。

One valuation a task, region and month; a repetition takes its place, and a month given makes up for an earlier one.
Every hospital answers with an additive statistic, which is held against the claims that were paid; sources are valued,
then chosen within a budget of sources, bytes, epsilon or money, with a certificate and a sentence for each.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.reference.source_terms`

**Writes / 写入**: `lake.knowledge.valuation`, `lake.knowledge.selection`, seen through `lake.marts.fct_source_value`
(console: /headwater/values); asset `source_valuation`

**If it fails / 如果失败**: the log carries the refusal's code. Too few hospitals with enough stays is mended by
landing more deliveries; `exact` with more than 20 sources by choosing `auto` or `permutation`; a source without a price
(`E-SELECT-COST`) by a line in the seed `source_terms`; `sums` with fewer than 10 sources by another method; sums
refused because of earlier ones (`E-COHORT-REVEALED`) by the same hospitals as before, or `private_sums`.
`E-LEDGER-RUN`: the privacy budget would be overspent, nothing was released; see `headwater ledger forecast`.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import DEFAULTS, KNOWLEDGE, QUALITY, VALUATION, Tag, announce, occasion

METHODS = [
    *("auto", "banzhaf", "exact", "information", "leave_one_out", "mean_field", "permutation"),
    *("private_sums", "statistics", "stratified", "sums", "truncated"),
]

PARAMS = {
    **KNOWLEDGE,
    "budget": Param(
        8,
        type="number",
        exclusiveMinimum=0,
        maximum=1_000_000_000_000,
        title="预算 / Budget",
        description="最多花费，按下面的单位计；收益不再为正时提前停止。/ Most to spend, counted in the unit below.",
    ),
    "unit": Param(
        "sources",
        type="string",
        enum=["sources", "bytes", "epsilon", "money"],
        title="预算单位 / Unit of the budget",
        description="ε 与金额按种子表 source_terms 中的报价。/ Epsilon and money as the seed source_terms says.",
    ),
    "method": Param(
        "auto",
        type="string",
        enum=METHODS,
        title="估值方法 / Valuation method",
        description=(
            "auto：15 家以内精确，以上估计；sums：只有群组和数离开医院；private_sums：差分隐私，先记账后发布；"
            "information：信息量；其余为其他价值概念。/ "
            "auto: exact up to 15 sources, estimated above; sums: only sums leave; "
            "private_sums: under differential privacy, debited first; information: in nats; others: by concept."
        ),
    ),
    "protection": Param(
        "clear",
        type="string",
        enum=["clear", "masked"],
        title="保护方式 / Protection",
        description="masked：成对掩码，只用于方法 sums。/ masked: pairwise masks, with the method sums only.",
    ),
    "month": Param(
        None,
        type=["null", "string"],
        pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$",
        title="月份 / Month",
        description="只用到该月为止的住院，如 2025-06；留空用全部。/ Stays up to this month, as 2025-06; empty: all.",
    ),
}


@dag(
    dag_id="value_sources",
    dag_display_name="08 来源价值优选 · Value sources",
    doc_md=__doc__,
    schedule=[QUALITY],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.VALUATION],
    default_args=DEFAULTS,
)
def value_sources() -> None:
    """Value and choose, region by region."""

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(
        task_display_name="估值与择优 · Value and choose",
        map_index_template="{{ region }}",
        max_active_tis_per_dagrun=1,
        multiple_outputs=False,
    )
    def value_region(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.choose import approach_of
        from headwater.steps.value import value
        from headwater.valuation import Budget

        run = occasion(region=region, seed=params["seed"], month=params["month"])
        budget = Budget(params["budget"], unit=params["unit"])
        method = approach_of(params["method"], params["protection"])
        return announce(value(Home.from_environment(), run=run, task=params["task"], budget=budget, method=method))

    # A region that failed stands red in the grid; the others go on.
    @task(task_display_name="宣布 · Announce", trigger_rule="all_done_min_one_success", outlets=[VALUATION])
    def publish(done: list[dict]) -> int:
        return len(list(done))

    publish(value_region.expand(region=list_regions()))


value_sources()
