"""为本地项目统一编码 / Give local items their national codes.

各医院目录和账单中的药品、耗材、医疗服务项目，以及诊断和手术操作，按当日有效的参考表匹配国家编码：有把握的自动编码，
含混的按涉及金额排队等人决定，没有把握的如实留空。人的决定适用于所有同样的项目，并作为标注供以后的匹配学习。

Drugs, consumables and services of every list and bill, diagnoses and operations are matched with the references of the
day: sure ones are coded, ambiguous ones queue by money at risk for a person, the rest honestly stay without a code.
What a person decides serves all like items and teaches the matchers of later runs.

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: `lake.raw.*`, `lake.reference.*`, `ops.coding_decision`

**Writes / 写入**: `lake.coding.item`, `lake.coding.usage`, `ops.coding_question`, MLflow versions `coding-<kind>`;
asset `lake_coding`

**If it fails / 如果失败**: the log carries the refusal's code. Answers are written in one transaction at the end, so
nothing is half coded: trigger again. MLflow out of reach: see its log; a matcher is registered once. Without a
reference nothing fails: items stay without a code, and the log names the kinds.
"""

from airflow.sdk import Param, dag, task

from headwater.adapters.airflow import CODED, DEFAULTS, RAW, Tag, announce

PARAMS = {
    "anew": Param(
        False,
        type="boolean",
        title="全部重新匹配 / Match everything again",
        description="除人已决定的以外，全部重新匹配。/ Match again whatever no person has decided.",
    ),
}


@dag(
    dag_id="code_items",
    dag_display_name="02 统一编码 · Code items",
    doc_md=__doc__,
    schedule=[RAW],
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=[Tag.HEADWATER, Tag.CODING],
    default_args=DEFAULTS,
)
def code_items() -> None:
    """Code all kinds in one task."""

    @task(task_display_name="匹配与排队 · Match and queue", outlets=[CODED], multiple_outputs=False)
    def code(params: dict | None = None) -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.code import code

        return announce(code(Home.from_environment(), anew=params["anew"]))

    code()


code_items()
