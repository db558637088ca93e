"""按期重训网络主体，末层由各来源统计量精确求解 / Retrain the bodies of networks on schedule, the last layer exactly.

来源进出时网络只有末层精确增减；主体每季重训一次（已退出的来源和个人不再参与），更好时移动 `champion`。

When sources come and go, a network changes exactly in its last layer only. Its body is trained anew every quarter,
without whoever withdrew since; the alias `champion` moves only when the version is better beyond its interval.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.knowledge.valuation`, `lake.knowledge.withdrawal`

**Writes / 写入**: `lake.knowledge.{model_version,member,champion,prediction}`, an MLflow model version, audit log

**If it fails / 如果失败**: the log carries the refusal's code. `E-KNOWLEDGE-VALUATION`: run value_sources first.
`E-RETRAIN-NOBODY`: no source shows its own statistic, so networks are joined by aggregate_knowledge alone.
`E-REGISTER-WITHDRAWN`: somebody withdrew meanwhile; cleared, it trains anew without them, and registers nothing twice.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from headwater.adapters.airflow import DEFAULTS, KNOWLEDGE, Tag, announce, occasion

PARAMS = {
    **KNOWLEDGE,
    "model": Param(
        "stay_cost_network",
        type="string",
        pattern="^[a-z][a-z0-9_]*$",
        maxLength=100,
        title="模型 / Model",
        description="models/ 目录中的网络。/ A network in models/.",
    ),
}


@dag(
    dag_id="retrain_networks",
    dag_display_name="网络主体重训 · Retrain networks",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 4 5 1,4,7,10 *", timezone="Asia/Shanghai", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.EVOLUTION],
    default_args=DEFAULTS,
)
def retrain_networks() -> None:
    """Train and register, region by region; one that fails stands red, the others go on."""

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(
        task_display_name="重训 · Retrain",
        map_index_template="{{ region }}",
        max_active_tis_per_dagrun=1,
        multiple_outputs=False,
    )
    def retrain_region(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.retrain import retrain

        run = occasion(region=region, seed=params["seed"])
        return announce(retrain(Home.from_environment(), run=run, task=params["task"], model=params["model"]))

    retrain_region.expand(region=list_regions())


retrain_networks()
