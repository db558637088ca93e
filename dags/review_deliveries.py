"""审批缩减的送报 / Review deliveries that shrank.

同名文件重新送达而行数减少超过 5% 时不会自动替代此前的数据。每个这样的文件在此提问一次：来源、表、文件、前后行数，以及
两种选择各会发生什么。回答记录在 `ops.decision`（何人、何时、为何）；接受后立即重新落地。等待不占用执行槽位，
也不阻挡其他数据。若在提问出现的一瞬间回答，Airflow 会丢失该回答并于 20 秒后再问，请再答一次。

A file that comes again with over 5 % fewer rows does not take the earlier one's place by itself. Each such file is
asked about here once: source, table, file, rows before and after, and what either choice does. The answer is kept in
`ops.decision` with who, when and why; an accepted file is landed at once. Waiting takes no slot and holds nothing up.
An answer given in the very moment in which the question appears is lost by Airflow, which asks again after 20 s.

**[待办 / Required actions](/required_actions)** · `headwater deliveries`

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: `ops.batch`; asset `files_held`

**Writes / 写入**: `ops.decision`; starts ingest_deliveries after an accepted file

**If it fails / 如果失败**: nothing is decided and the file goes on waiting. Trigger this DAG by hand, which asks about
every file that waits, or decide with `headwater deliveries decide`. A file decided elsewhere meanwhile is skipped.
"""

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from headwater.adapters.airflow import DEFAULTS, HELD, Tag

OPTIONS = ["接受缩减 · Accept the smaller file", "退回医院 · Return it to the hospital"]
ANSWER = {
    "why": Param(
        "",
        type="string",
        title="理由 / Reason",
        description="记入审批记录。/ Kept with the decision.",
        maxLength=500,
    ),
}


@dag(
    dag_id="review_deliveries",
    dag_display_name="01a 审批缩减的送报 · Review deliveries",
    doc_md=__doc__,
    schedule=[HELD],
    catchup=False,
    # A question may stay open for days; later files are asked about meanwhile.
    max_active_runs=16,
    tags=[Tag.HEADWATER, Tag.INGEST],
    default_args=DEFAULTS,
)
def review_deliveries() -> None:
    """Ask about each waiting file, put the answer down, and land again what was accepted."""

    @task(task_display_name="列出待审批文件 · List waiting files")
    def list_waiting(triggering_asset_events: dict | None = None) -> list[dict]:
        from headwater.adapters.home import Home
        from headwater.steps.deliveries import questions

        told = [event.extra for events in triggering_asset_events.values() for event in events]
        held = [text for extra in told for text in extra.get("held", [])]
        found = questions(Home.from_environment(), held=held if told else None)
        if not found:
            raise AirflowSkipException("没有待审批的文件。 / No file waits for a decision.")
        folder = next((extra["deliveries"] for extra in reversed(told) if extra.get("deliveries")), None)
        return [{**question, "deliveries": folder} for question in found]

    @task.short_circuit(task_display_name="记录决定 · Record", map_index_template="{{ batch }}")
    def record(batch_id: str, answer: dict) -> bool:
        from headwater.adapters.home import Home
        from headwater.steps.deliveries import answered

        get_current_context()["batch"] = batch_id
        user = answer["responded_by_user"] or {}
        choice = answered(
            Home.from_environment(),
            batch_id,
            chosen=answer["chosen_options"][0],
            by=user.get("name") or user.get("id") or "Airflow",
            why=answer["params_input"].get("why") or "",
        )
        if choice is None:
            raise AirflowSkipException("已在别处决定。 / Decided elsewhere meanwhile.")
        return choice == "accept"

    @task_group
    def review(batch_id: str, subject: str, body: str, deliveries: str | None) -> None:
        ask = HITLOperator(
            task_id="ask",
            task_display_name="等待审批 · Await decision",
            subject=subject,
            body=body,
            options=OPTIONS,
            params=ANSWER,
            # People take their time: neither a limit nor a default stands in for them.
            execution_timeout=None,
            # An answer that Airflow loses (apache/airflow#67287, #72716) costs a try: the question outlives several.
            retries=5,
        )
        land_again = TriggerDagRunOperator(
            task_id="land_again",
            task_display_name="重新落地 · Land again",
            trigger_dag_id="ingest_deliveries",
            conf={"deliveries": deliveries},
        )
        record(batch_id, ask.output) >> land_again

    review.expand_kwargs(list_waiting())


review_deliveries()
