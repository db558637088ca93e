"""``headwater readmit``: a person brings a source back that was removed for good."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import shown

__all__ = ["readmit"]

_out = Console()


def readmit(
    source: Annotated[str, typer.Argument(help="As models name it. / 来源")],
    region: Annotated[str, typer.Option(help="Of its model. / 统筹区")],
    by: Annotated[str, typer.Option(help="Who decides. / 决定人")],
    why: Annotated[str, typer.Option(help="The reason; kept in the audit log. / 理由")],
    task: Annotated[str, typer.Option(help="The learning task. / 学习任务")] = "stay_cost",
    as_json: Json = False,
) -> None:
    """Bring back a source that was removed: on trial from the next month that is followed. / 恢复已移除的来源."""
    from headwater.steps.readmit import readmit as step

    with refusing():
        place = {"task": task, "region": region, "source": source}
        found = step(home(), place, by=by, why=why, at=datetime.now(UTC))
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(
        f"[green]✓[/] {shown(found.source)} trial 试用 · after 自此月之后 {found.after:%Y-%m} · "
        f"audit entry 审计条目 {found.entry}",
        highlight=False,
    )
