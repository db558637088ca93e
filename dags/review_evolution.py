"""审批来源移除 / Review removals of sources.

演化不会自行永久移除来源。每个提议在此提问一次：统筹区、月份、来源、原因，以及两种选择各会发生什么。回答记录在
`knowledge.approval` 与审计日志（何人、何时、为何），从下一个被跟踪的月份起生效。七天内无人回答则维持现状，
之后的月份会再次提议。

No evolution removes a source for good by itself. Each proposal is asked about here once: region, month, source, reason,
and what either choice does. The answer is kept in `knowledge.approval` and the audit log with who, when and why, and
holds from the next month that is followed. If nobody answers within seven days everything stays as it is, and a later
month proposes it again.

**[待办 / Required actions](/required_actions)**

**Owner / 负责**: headwater · 模型组

**Reads / 读取**: `lake.knowledge.evolution`; asset `removals_proposed`

**Writes / 写入**: `lake.knowledge.approval`, `ops.audit`

**If it fails / 如果失败**: nothing is decided and everything stays as it is. Trigger this DAG by hand, which asks about
all that is proposed now. What a later month no longer proposes is skipped.
"""

from datetime import datetime, timedelta
from operator import itemgetter

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from headwater.adapters.airflow import DEFAULTS, KNOWLEDGE, PROPOSED, Tag, open_questions, show

OPTIONS = ["批准移除 · Approve the removal", "维持现状 · Leave it as it is"]
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
    dag_id="review_evolution",
    dag_display_name="10a 审批来源移除 · Review removals",
    doc_md=__doc__,
    schedule=[PROPOSED],
    catchup=False,
    # A question may stay open for days; later proposals are asked about meanwhile.
    max_active_runs=16,
    tags=[Tag.HEADWATER, Tag.EVOLUTION],
    default_args=DEFAULTS,
)
def review_evolution() -> None:
    """Ask about each proposal and put the answer down."""

    @task(task_display_name="列出提议 · List proposals")
    def list_proposals(triggering_asset_events: dict | None = None) -> list[dict]:
        from headwater.adapters.home import Home
        from headwater.steps.approve import proposals

        told = [event.extra for events in triggering_asset_events.values() for event in events]
        home = Home.from_environment()
        if told:
            places = {(extra["task"], region) for extra in told for region in extra["regions"]}
            found = [one for task, region in sorted(places) for one in proposals(home, task=task, region=region)]
        else:
            found = [one for task in KNOWLEDGE["task"].schema["enum"] for one in proposals(home, task=task)]
        place = itemgetter("task", "region", "month", "source")
        asked = set(map(place, open_questions("review.ask", listed="list_proposals")))
        questions = [question for question in (one.question() for one in found) if place(question) not in asked]
        if not questions:
            raise AirflowSkipException(
                "没有待审批的移除，或均已在询问。 / No removal waits for a decision that is not asked about."
            )
        return questions

    @task(task_display_name="记录决定 · Record", map_index_template="{{ source }}")
    def record(place: dict, answer: dict) -> bool:
        from headwater.adapters.home import Home
        from headwater.steps.approve import approve

        show(source=place["source"])
        user = answer["responded_by_user"] or {}
        is_new = approve(
            Home.from_environment(),
            place,
            choice=answer["chosen_options"][0],
            by=user.get("name") or user.get("id") or "Airflow",
            why=answer["params_input"].get("why") or "",
            at=datetime.fromisoformat(str(answer["responded_at"])),
        )
        if not is_new:
            raise AirflowSkipException("不再提议，或已决定。 / Not proposed any more, or decided already.")
        return is_new

    @task_group
    def review(task: str, region: str, month: str, source: str, subject: str, body: str) -> None:
        ask = HITLOperator(
            task_id="ask",
            task_display_name="等待审批 · Await decision",
            subject=subject,
            body=body,
            options=OPTIONS,
            # When nobody answers in time, nothing changes.
            defaults=OPTIONS[-1],
            response_timeout=timedelta(days=7),
            params=ANSWER,
            execution_timeout=None,
            # An answer that Airflow loses (apache/airflow#67287, #72716) costs a try: the question outlives several.
            retries=5,
        )
        record({"task": task, "region": region, "month": month, "source": source}, ask.output)

    review.expand_kwargs(list_proposals())


review_evolution()
