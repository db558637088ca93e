"""评估来源价值并择优 / Value the sources and choose among them.

每家医院以一个可加的 Gram 统计量作答；在统计量上计算各来源对目标任务的 Shapley 值（15 家以内精确，以上用排列估计），
再按预算贪心择优。

Every hospital answers with one additive Gram statistic; the Shapley value of each source for the target task is
computed on the statistics (exact up to 15 sources, by permutations above), then sources are chosen greedily within
the budget.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`

**Writes / 写入**: `lake.knowledge.valuation`; asset `source_valuation`

**If it fails / 如果失败**: the log carries the refusal's code. Too few hospitals with enough stays is mended by
landing more deliveries; `exact` with more than 20 sources by choosing `auto` or `permutation`; `E-LEDGER-RUN`: the
privacy budget would be overspent and nothing was released: `headwater ledger forecast` says how often sources still
answer.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import DEFAULTS, QUALITY, VALUATION, Tag, announce, occasion

METHODS = [
    *("auto", "banzhaf", "exact", "information", "leave_one_out", "mean_field", "permutation"),
    *("private_sums", "statistics", "stratified", "truncated"),
]

PARAMS = {
    "task": Param(
        "stay_cost",
        type="string",
        enum=["stay_cost"],
        title="任务 / Task",
        description="stay_cost：住院费用。/ stay_cost: cost of a stay.",
    ),
    "budget": Param(
        8,
        type="integer",
        minimum=1,
        maximum=1000,
        title="最多选几家 / Sources to choose at most",
        description="贪心择优在收益不再为正时提前停止。/ Greedy choice stops earlier when nothing more is gained.",
    ),
    "method": Param(
        "auto",
        type="string",
        enum=METHODS,
        title="估值方法 / Valuation method",
        description=(
            "auto：15 家以内精确，以上排列估计；information：信息量；banzhaf、leave_one_out：其他价值概念；"
            "private_sums：差分隐私，先记账后发布。/ "
            "auto: exact up to 15 sources, permutations above; information: in nats; the others: by their concepts; "
            "private_sums: under differential privacy, debited before anything is released."
        ),
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
        from headwater.steps.value import value

        run = occasion(region=region, seed=params["seed"])
        chosen = {name: params[name] for name in ("task", "budget", "method")}
        return announce(value(Home.from_environment(), run=run, **chosen))

    # A region that failed stands red in the grid; the others go on.
    @task(task_display_name="宣布 · Announce", trigger_rule="all_done_min_one_success", outlets=[VALUATION])
    def publish(done: list[dict]) -> int:
        return len(list(done))

    publish(value_region.expand(region=list_regions()))


value_sources()
