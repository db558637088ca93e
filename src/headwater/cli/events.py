"""``headwater events``: what rang, what became of it, and ringing by hand."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["Kind", "State", "app"]

app = typer.Typer(no_args_is_help=True, help="Events of sources. / 来源事件")
_out = Console()

Month = Annotated[datetime | None, typer.Option(formats=["%Y-%m"], help="That it concerns, as 2026-01. / 所涉月份")]


class Kind(StrEnum):
    """What can ring."""

    delivery = "delivery"
    claims = "claims"
    withdrawal = "withdrawal"
    outage = "outage"


class State(StrEnum):
    """What can have become of an event."""

    waiting = "waiting"
    taken = "taken"
    done = "done"
    aside = "aside"


_STATES = {"waiting": "等待", "taken": "处理中", "done": "已处理", "aside": "已搁置"}


@app.command()
def post(
    source: Annotated[str, typer.Argument(help="Who. / 来源")],
    kind: Annotated[Kind, typer.Argument(help="What rings. / 事件类别")],
    month: Month = None,
    batch: Annotated[str | None, typer.Option(help="Batch, or the sender's name of it. / 批次号")] = None,
    sha256: Annotated[str | None, typer.Option(help="Of what was sent. / 摘要")] = None,
    as_json: Json = False,
) -> None:
    """Ring for a source; the same thing told twice is one event. / 登记事件."""
    from headwater.adapters.inbox import Event
    from headwater.steps.drain import post as run

    event = Event(source, kind.value, period=month.date() if month else None, batch_id=batch, sha256=sha256)
    with refusing():
        is_new = run(home(), event)
    if as_json:
        print_json({"event_id": event.event_id, "new": is_new})
    else:
        told = "已登记 posted" if is_new else "此前已登记 posted before"
        _out.print(f"{told} {event.event_id}", highlight=False, soft_wrap=True)
        if not is_new:
            _out.print("  new since then? name it 若有新内容请另行命名: --batch", highlight=False)


@app.command("list")
def show(
    state: Annotated[State | None, typer.Option(help="Only of this state. / 只看此状态")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most. / 最多列出")] = 50,
    as_json: Json = False,
) -> None:
    """List the newest events, and how many there are by state. / 列出事件."""
    from headwater.adapters.inbox import KINDS
    from headwater.steps.drain import events

    with refusing():
        found, counts = events(home(), state=state.value if state else None, limit=limit)
    if as_json:
        print_json({"events": [one.to_dict() for one in found], "counts": dict(counts)})
        return
    table = listing("source 来源", "kind 类别", "month 月份", "posted 登记", "state 状态")
    for one in found:
        event, kind = one.event, KINDS[one.event.kind]
        month = f"{event.period:%Y-%m}" if event.period else ""
        told = f"{kind.zh} {kind.en}"
        table.add_row(shown(event.source_id), told, month, f"{one.posted_at:%m-%d %H:%M}", _state(one.state))
    _out.print(table)
    for one in found:
        if one.reason:
            _out.print(f"[yellow]{one.code}[/] {one.event.event_id}", highlight=False, soft_wrap=True)
            for text in (one.reason.zh, one.reason.en):
                _out.print(f"    {shown(text)}", highlight=False)
    _out.print(" · ".join(f"{_state(name)} {counts.get(name, 0):,}" for name in _STATES), highlight=False)


@app.command()
def drain(as_json: Json = False) -> None:
    """Take what waits: who withdraws leaves the models; headwater evolve then follows the others. / 取出等待的事件."""
    from headwater.steps.drain import drain as run
    from headwater.steps.drain import finish

    with refusing():
        installation = home()
        now = datetime.now(UTC)
        report = run(installation, run=f"manual__{now.isoformat()}", at=now)
        finish(installation, run=report.run)
    if as_json:
        print_json(report.to_dict())
        return
    for source, month in report.changed.items():
        _out.print(f"changed 有变化 {shown(source)} {f'{month:%Y-%m}' if month else ''}".rstrip(), highlight=False)
    for source in report.withdrawn:
        _out.print(f"withdrawn 已退出 {shown(source)}", highlight=False)
    for source, months in report.outages.items():
        told = " ".join(f"{month:%Y-%m}" for month in months)
        _out.print(f"outage 中断 {shown(source)} {told}".rstrip(), highlight=False)
    counts = (("taken 取出", report.events), ("found 补登", report.swept), ("waiting 等待", report.waiting))
    _out.print(" · ".join(f"{name} {count:,}" for name, count in counts), highlight=False)
    if report.aside:
        _out.print(f"[yellow]aside 搁置 {report.aside:,}[/]: headwater events list --state aside", highlight=False)


@app.command()
def again(
    event_id: Annotated[str, typer.Argument(help="As listed. / 事件号")],
    as_json: Json = False,
) -> None:
    """Let an event that was set aside wait again, once its cause is mended. / 重新排队."""
    from headwater.steps.drain import again as run

    with refusing():
        run(home(), event_id)
    if as_json:
        print_json({"event_id": event_id, "state": "waiting"})
    else:
        _out.print(f"{_state('waiting')} {event_id}", highlight=False, soft_wrap=True)


def _state(name: str) -> str:
    return f"{name} {_STATES[name]}"
