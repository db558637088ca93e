"""分层汇聚知识，登记模型版本 / Join the sources' knowledge in tiers and register a model version.

选中的来源沿 医院 → 城市 → 省 的树汇聚；保护方式为明文或成对掩码（掩码和与明文和逐位相等）。版本登记到 MLflow，
带湖快照、来源与价值、每个来源的保护方式、父版本，以及与（a）仅目标、（b）全部来源等权、（c）集中数据参照的指标。

The chosen sources are joined along the tree hospital → city → region, in the clear or under pairwise masks (the
masked sum equals the clear sum bit for bit). The version goes to MLflow with its lake snapshot, sources and values,
protection per source, parent version, and metrics against (a) target only, (b) all sources equally, (c) pooled data
as a reference.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.knowledge.valuation`

**Writes / 写入**: `lake.knowledge.model_version`, an MLflow model version, alias `champion` if it is better; asset
`model_version`

**If it fails / 如果失败**: the log carries the refusal's code. A group smaller than three cannot be masked: it is
folded into the region, or choose `clear` inside a trusted domain. MLflow out of reach: see its log, then trigger
again; a version is registered once.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import DEFAULTS, MODEL, VALUATION, Tag, announce, occasion

PARAMS = {
    "task": Param(
        "stay_cost",
        type="string",
        enum=["stay_cost"],
        title="任务 / Task",
        description="stay_cost：住院费用。/ stay_cost: cost of a stay.",
    ),
    "city_protection": Param(
        "masked",
        type="string",
        enum=["clear", "masked"],
        title="医院到城市的保护 / Protection from hospital to city",
        description="masked：成对掩码求和；clear：仅限可信域。/ masked: secure sum; clear: trusted domain only.",
    ),
    "region_protection": Param(
        "clear",
        type="string",
        enum=["clear", "masked"],
        title="城市到统筹区的保护 / Protection from city to region",
        description="少于三方时并入上一级。/ Fewer than three parties move one tier up.",
    ),
    "model": Param(
        "stay_cost_ridge",
        type="string",
        pattern="^[a-z][a-z0-9_]*$",
        maxLength=100,
        title="模型 / Model",
        description="models/ 目录中的文件名。/ The name of a file in models/.",
        examples=["stay_cost_ridge", "stay_cost_network"],
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
        description="同一种子给出同一模型。/ The same seed gives the same model.",
    ),
}


@dag(
    dag_id="aggregate_knowledge",
    dag_display_name="09 众源层次汇聚 · Aggregate knowledge",
    doc_md=__doc__,
    schedule=[VALUATION],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.AGGREGATION],
    default_args=DEFAULTS,
)
def aggregate_knowledge() -> None:
    """Join, solve and register, region by region."""

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(
        task_display_name="汇聚与登记 · Join and register",
        map_index_template="{{ region }}",
        max_active_tis_per_dagrun=1,
        multiple_outputs=False,
    )
    def aggregate_region(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.aggregate import Protections, aggregate

        run = occasion(region=region, seed=params["seed"])
        protections = Protections(city=params["city_protection"], region=params["region_protection"])
        chosen = {name: params[name] for name in ("task", "model")}
        return announce(aggregate(Home.from_environment(), run=run, protections=protections, **chosen))

    # A region that failed stands red in the grid; the others go on.
    @task(task_display_name="宣布 · Announce", trigger_rule="all_done_min_one_success", outlets=[MODEL])
    def publish(done: list[dict]) -> int:
        return len(list(done))

    publish(aggregate_region.expand(region=list_regions()))


aggregate_knowledge()
