"""按支付政策为住院定付 / Price stays under the policy that holds.

按出院日有效的支付政策，为已分组的住院逐步计算支付额，每一步为一行，精确到分；行合计等于每例支付额，由步骤核对。
政策变化时全部重算，否则只算变化的住院。

Under the policy that holds on the day of discharge every grouped stay is paid step by step, one line a step, exact to
the fen; the lines of a stay sum to its payment, which the step verifies. All stays are priced again when a policy or
plan changed, otherwise those that changed.

**Owner / 负责**: headwater · 支付组

**Reads / 读取**: `lake.grouping.stay`, `lake.marts.fct_stay`, policies in `dbt_project/policies/`

**Writes / 写入**: `lake.payment.stay`, `lake.payment.line`; asset `lake_payment`

**If it fails / 如果失败**: the log carries the refusal's code and names the policy. Payments are replaced in one
transaction, so nothing is half priced: mend the policy, see that `headwater policy check` passes, and trigger again.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import DEFAULTS, GROUPED, PRICED, Tag, announce

PARAMS = {
    "anew": Param(
        False,
        type="boolean",
        title="全部重新定付 / Price everything again",
        description="不论是否变化，全部住院重新定付。/ Price all stays again, changed or not.",
    ),
}


@dag(
    dag_id="price_stays",
    dag_display_name="05 支付计算 · Price stays",
    doc_md=__doc__,
    schedule=[GROUPED],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.PAYMENT],
    default_args=DEFAULTS,
)
def price_stays() -> None:
    """Price all regions in one task."""

    @task(task_display_name="定付 · Price", outlets=[PRICED], multiple_outputs=False)
    def price(params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.price import price

        return announce(price(Home.from_environment(), anew=params["anew"]))

    price()


price_stays()
