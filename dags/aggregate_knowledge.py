"""分层汇聚知识，登记模型版本 / Join the sources' knowledge in tiers and register a model version.

按各来源的要求规划 医院 → 城市 → 统筹区 的树（超支的被拒并给出数字），逐级打开（汇聚绕开标红的），完成各轮，登记。

The tree hospital → city → region is planned from what sources require; a run that would overspend is refused with the
number. Tiers are opened (the join goes around a red one), rounds played, and a version registered with all of this.

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.marts.feat_stay_cost`, `lake.knowledge.valuation`, `dbt_project/requirements/`, privacy ledger

**Writes / 写入**: `lake.knowledge.{joined,model_version}`, audit log, privacy ledger, MLflow; asset `model_version`

**If it fails / 如果失败**: `E-LEDGER-RUN`: a budget is spent, wait for next month. `E-REQUIRE-…`: a source permits it
not. `E-REGISTER-WITHDRAWN`: clear from "Plan" on. Rounds pay again, as their noise is new; registering does not.
"""

from airflow.sdk import Param, dag, task, task_group

from headwater.adapters.airflow import DEFAULTS, KNOWLEDGE, MODEL, VALUATION, Tag, announce, occasion, show

SOME = "all_done_min_one_success"
ONE_BY_ONE = {"max_active_tis_per_dagrun": 1, "multiple_outputs": False}

PARAMS = {
    **KNOWLEDGE,
    "city_protection": Param(
        "required",
        type="string",
        enum=["required", "clear", "masked"],
        title="医院到城市的保护 / Protection from hospital to city",
        description="来源不许的会被拒绝；masked：城市只见合计。/ masked: cities see sums alone.",
    ),
    "region_protection": Param(
        "required",
        type="string",
        enum=["required", "masked", "judged"],
        title="城市到统筹区的保护 / Protection from city to region",
        description="masked：统筹区只见总和；judged：只见各组之和，据此排除投毒来源。"
        "/ masked: the region sees one sum; judged: sums of cohorts, by which poisoned sources are left out.",
    ),
    "model": Param(
        "stay_cost_ridge",
        type="string",
        pattern="^[a-z][a-z0-9_]*$",
        maxLength=100,
        title="模型 / Model",
        description="models/ 目录中的文件名。/ The name of a file in models/.",
    ),
}


@task_group(group_id="cities", group_display_name="城市 · Cities")
def cities(plans: list[dict]) -> list[list[dict]]:
    """Open every city."""

    @task(task_display_name="列出城市 · List cities", trigger_rule=SOME)
    def list_tiers(plans: list[dict]) -> list[list[dict]]:
        from headwater.steps.tree_tasks import bundles

        return bundles(plans)

    @task(task_display_name="打开城市 · Open city", map_index_template="{{ tier }}")
    def open_tier(tiers: list[dict]) -> list[dict]:
        return opened(tiers)

    return open_tier.expand(tiers=list_tiers(plans))


@task_group(group_id="region", group_display_name="统筹区 · Region")
def root(plans: list[dict]) -> list[list[dict]]:
    """Open every region."""

    @task(task_display_name="打开统筹区 · Open region", map_index_template="{{ tier }}", trigger_rule=SOME)
    def open_tier(plan: dict) -> list[dict]:
        return opened([{"entry": plan["entry"], "tier": plan["tiers"][-1]}])

    return open_tier.expand(plan=plans)


def opened(tiers: list[dict]) -> list[dict]:
    """Open tiers one after the other; red where none could be."""
    from headwater.adapters.home import Home
    from headwater.steps.open_tier import open_tiers

    show(tier=" · ".join(one["tier"] for one in tiers))
    return [announce(one) for one in open_tiers(Home.from_environment(), tiers)]


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
    """Plan, open the tiers, join and register, region by region; a region that fails stands red, the others go on."""

    @task(task_display_name="列出统筹区 · List regions")
    def list_regions(params: dict | None = None) -> list[str]:
        from headwater.adapters.home import Home
        from headwater.steps.regions import regions

        if params["region"]:
            return [params["region"]]
        return announce(regions(Home.from_environment(), task=params["task"]))["usable"]

    @task(task_display_name="规划 · Plan", map_index_template="{{ region }}", **ONE_BY_ONE)
    def plan_join(region: str, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.joint import plan_join as plan
        from headwater.steps.wish import Wish

        run = occasion(region=region, seed=params["seed"])
        wish = Wish(params["city_protection"], params["region_protection"])
        return announce(plan(Home.from_environment(), run=run, wish=wish, task=params["task"], model=params["model"]))

    @task(task_display_name="各轮汇聚 · Join", map_index_template="{{ region }}", trigger_rule=SOME, **ONE_BY_ONE)
    def join_rounds(plan: dict, opened: list[list[list[dict]]], params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.join import join
        from headwater.steps.tree_tasks import lost

        run = occasion(region=plan["region"], seed=params["seed"])
        return announce(join(Home.from_environment(), run=run, entry=plan["entry"], lost=lost(plan, opened)))

    @task(task_display_name="登记 · Register", map_index_template="{{ region }}", trigger_rule=SOME, **ONE_BY_ONE)
    def register(joined: dict, params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.aggregate import conclude

        run = occasion(region=joined["region"], seed=params["seed"])
        return announce(conclude(Home.from_environment(), run=run, task=joined["task"], model=joined["model"]))

    @task(task_display_name="宣布 · Announce", trigger_rule=SOME, outlets=[MODEL])
    def publish(done: list[dict]) -> int:
        return len(list(done))

    plans = plan_join.expand(region=list_regions())
    levels = [cities(plans), root(plans)]
    levels[0] >> levels[1]
    publish(register.expand(joined=join_rounds.partial(opened=levels).expand(plan=plans)))


aggregate_knowledge()
