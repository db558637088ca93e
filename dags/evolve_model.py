"""随来源动态演化模型 / Let the model evolve with its sources.

按月回放数据，跟踪每个来源的价值流；变点检测后精确地减去或加入来源（Gram 统计量可加可减），登记新版本；更好时移动
`champion`。

Replays the months of the data, watches every source's value with a change detector, subtracts or adds a source
exactly and registers a new version; the alias `champion` moves only when the version is better on the target's
held-out set.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.knowledge.valuation`, `lake.knowledge.model_version`

**Writes / 写入**: `lake.knowledge.evolution`, an MLflow model version; asset `model_evolution`

**If it fails / 如果失败**: the log carries the refusal's code. Without a model version there is nothing to evolve:
run aggregate_knowledge first. A run that ended half-way is triggered again; versions it registered carry its run and
are not registered twice.
"""

from airflow.sdk import dag, task

from headwater.adapters.airflow import DEFAULTS, EVOLUTION, KNOWLEDGE, MODEL, Tag, announce, occasion


@dag(
    dag_id="evolve_model",
    dag_display_name="10 适源动态演化 · Evolve model",
    doc_md=__doc__,
    schedule=[MODEL],
    catchup=False,
    max_active_runs=1,
    params=KNOWLEDGE,
    tags=[Tag.HEADWATER, Tag.EVOLUTION],
    default_args=DEFAULTS,
)
def evolve_model() -> None:
    """Replay, decide and register, region by region."""

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(
        task_display_name="回放与更新 · Replay and update",
        map_index_template="{{ region }}",
        max_active_tis_per_dagrun=1,
        multiple_outputs=False,
    )
    def evolve_region(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.evolve import evolve

        run = occasion(region=region, seed=params["seed"])
        chosen = {name: params[name] for name in ("task",)}
        return announce(evolve(Home.from_environment(), run=run, **chosen))

    # A region that failed stands red in the grid; the others go on.
    @task(task_display_name="宣布 · Announce", trigger_rule="all_done_min_one_success", outlets=[EVOLUTION])
    def publish(done: list[dict]) -> int:
        return len(list(done))

    publish(evolve_region.expand(region=list_regions()))


evolve_model()
