"""``headwater deliveries``: what came, what waits for a decision, and what a file that was sent again changed."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["Choice", "app", "whoami"]

app = typer.Typer(help="Deliveries and decisions about them. / 送报批次与审批")
_out = Console()

Batch = Annotated[str, typer.Argument(help="The batch, as listed. / 批次号")]


class Choice(StrEnum):
    """What can be decided."""

    accept = "accept"
    back = "return"


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most. / 最多列出")] = 50,
    as_json: Json = False,
) -> None:
    """List the newest batches; those that wait for a decision come first. / 列出批次，待审批在前."""
    if context.invoked_subcommand is not None:
        return
    from headwater.steps.deliveries import newest

    with refusing():
        found = newest(home(), limit=limit)
    if as_json:
        print_json({"deliveries": [asdict(one) for one in found]})
        return
    table = listing("file, batch 文件、批次", "state 状态", "came 送达", "rows 行", numbers=1)
    # A batch number that is cut in two could not be given to decide or diff.
    table.columns[0].min_width = 40
    for one in found:
        state = "[yellow]waiting 待审批[/]" if one.is_waiting else one.state
        decision = f"\n{one.choice}: {shown(f'{one.decided_by}, {one.why}')}" if one.choice else ""
        rows = "" if one.rows_in is None else f"{one.rows_in:,}"
        file = f"{shown(one.file_name)}\n[dim]{shown(one.batch_id)}[/]{decision}"
        table.add_row(file, state, f"{one.landed_at:%Y-%m-%d}", rows)
    _out.print(table)


@app.command()
def decide(
    batch: Batch,
    choice: Annotated[Choice, typer.Argument(help="accept or return. / 接受或退回")],
    why: Annotated[str, typer.Option(help="The reason. / 理由")],
    by: Annotated[str | None, typer.Option(help="Who decides; default: you. / 审批人")] = None,
) -> None:
    """Accept or return a file that waits because it shrank. / 审批缩减的文件."""
    from headwater.steps.decide import decide as run

    with refusing():
        run(home(), batch, choice=choice.value, by=by or whoami(), why=why)
    if choice is Choice.accept:
        _out.print("下一次 headwater land 会装入它。\nThe next headwater land loads it.", highlight=False)
    else:
        _out.print("它不会入库，此前的数据仍有效。\nIt is never loaded; the earlier data stays live.", highlight=False)


@app.command()
def diff(
    batch: Batch,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown at most. / 最多显示行数")] = 20,
    as_json: Json = False,
) -> None:
    """Show what a file changed when it took an earlier one's place. / 显示与前一版的差异."""
    from headwater.steps.deliveries import changed

    with refusing():
        found = changed(home(), batch, limit=limit).to_dict()
    if as_json:
        print_json(found)
        return
    rows: Sequence[dict[str, Any]] = found.pop("rows")  # type: ignore[assignment]
    for name, value in found.items():
        _out.print(f"[bold]{name}[/] {shown(str(value))}", highlight=False)
    table = listing("kind 类别", "key 键", "field 字段", "old 旧", "new 新")
    for row in rows:
        for field, old, new in row["fields"] or [("", None, None)]:
            table.add_row(row["kind"], shown(row["key"]), field, shown(old or ""), shown(new or ""))
    _out.print(table)


def whoami() -> str:
    """Return the name of the user of the machine, its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
