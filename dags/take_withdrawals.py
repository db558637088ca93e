"""受理退出 / Take withdrawals.

每小时从收件箱取出医院的退出事件并立即执行（与 `headwater withdraw --source` 相同）。未能完成的退出会被搁置，
此后每次运行都显示为红色，直到排除原因并用 `headwater events again` 重新排队。

Every hour takes the withdrawals that hospitals rang in the inbox and does at once what `headwater withdraw --source`
does. One that could not be done lies aside, and every run is red until its cause is mended and it was queued again.

**[控制台 / Console](/headwater/)** · `headwater events list --state aside`

**Owner / 负责**: headwater · 数据组

**Reads / 读取**: `ops.event`, marts

**Writes / 写入**: `knowledge.withdrawal`, versions in MLflow, `ops.audit`

**If it fails / 如果失败**: nothing is lost: what could be done is done, the rest waits or lies aside with a reason.
Mend it, `headwater events again EVENT`, and clear the task.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from headwater.adapters.airflow import DEFAULTS, Tag, announce, began, show


@dag(
    dag_id="take_withdrawals",
    dag_display_name="10b 受理退出 · Take withdrawals",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 * * * *", timezone="Asia/Shanghai", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    tags=[Tag.HEADWATER, Tag.EVOLUTION],
    default_args=DEFAULTS,
)
def take_withdrawals() -> None:
    """Let those leave who rang, then tell whether anybody could not."""

    @task(task_display_name="受理 · Take", multiple_outputs=False)
    def take() -> dict:
        from headwater.adapters.home import Home
        from headwater.steps.drain import departures

        run = show()["dag_run"].run_id
        return announce(departures(Home.from_environment(), run=run, at=began()))

    @task(task_display_name="无人搁置 · Nobody lies aside", retries=0)
    def require_none_aside() -> int:
        from headwater.adapters.home import Home
        from headwater.steps.drain import require_none_aside as require

        return require(Home.from_environment())

    take() >> require_none_aside()


take_withdrawals()
