"""``headwater withdraw``: a hospital or a patient leaves the models."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.knowledge import options
from headwater.cli.shown import shown
from headwater.errors import Message

if TYPE_CHECKING:
    from headwater.adapters.knowledge import Run
    from headwater.steps.leaving import Leaving
    from headwater.steps.withdraw import Taken

__all__ = ["withdraw"]

_out = Console()
_MARKS = {"subtracted": "[green]✓[/]", "absent": "[green]✓[/]", "none": "[green]✓[/]"}


@dataclass(frozen=True)
class Named:
    """Who withdraws: exactly one of three."""

    source: Annotated[str | None, typer.Option(help="A hospital's code, as models name it. / 来源")] = None
    person: Annotated[str | None, typer.Option(help="A person's token, as in psn_no. / 个人标识")] = None
    stay: Annotated[str | None, typer.Option(help="One stay_id. / 住院号")] = None


@options
def withdraw(
    *,
    who: Named,
    by: Annotated[str, typer.Option(help="Who has it entered; kept in the audit log. / 经办人")] = "",
    why: Annotated[str, typer.Option(help="The reason, without anybody's name; kept as well. / 理由")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would happen; change nothing. / 只预演，不改动")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="They withdrew by mistake: learn from them again. / 撤销退出")
    ] = False,
    as_json: Json = False,
) -> None:
    """Subtract a hospital, a person or a stay from all models that serve, and learn from it no more. / 退出.

    --by and --why must be given, but for --dry-run. Ends with 1 where nothing could be subtracted: of what is known as
    sums alone, or where it failed.
    """
    from headwater.adapters.knowledge import Run
    from headwater.steps.leaving import Leaving
    from headwater.steps.withdraw import withdraw as step

    if revoke and dry_run:
        raise typer.BadParameter("--dry-run tells of a withdrawal, not of --revoke / 只能预演退出")
    now = datetime.now(UTC)
    run = Run(name=f"cli withdraw {now:%Y-%m-%dT%H:%M:%S.%fZ}", at=now, seed=0)
    with refusing():
        leaving = Leaving(who.source, who.person, who.stay)
        if dry_run:
            _foresee(leaving, as_json=as_json)
            return
        if revoke:
            _revoke(run, leaving, (by, why), as_json=as_json)
            return
        report = step(home(), run=run, leaving=leaving, signed=(by, why))
    if as_json:
        print_json(report.to_dict())
    else:
        for taken in report.taken:
            _tell(taken)
    if not report.is_complete:
        raise typer.Exit(1)


def _revoke(run: "Run", leaving: "Leaving", signed: tuple[str, str], *, as_json: bool) -> None:
    from headwater.steps.revoke import revoke as step

    found = step(home(), run=run, leaving=leaving, signed=signed)
    if as_json:
        print_json({"revoked": [asdict(one) for one in found]})
        return
    for one in found:
        _out.print(
            f"[green]✓[/] [bold]{shown(one.region or '–')}[/] {shown(one.task or '–')} · "
            f"audit entry 审计条目 {one.entry} · revokes 撤销 {one.revokes}",
            highlight=False,
        )


def _foresee(leaving: "Leaving", *, as_json: bool) -> None:
    from headwater.steps.foresee import foresee

    found = foresee(home(), leaving=leaving)
    if as_json:
        print_json({"dry": True, "models": [one.to_dict() for one in found]})
        return
    for one in found:
        where, task = shown(one.places.region or "–"), shown(one.places.task or "–")
        _out.print(f"[bold]{where}[/] {task} {shown(one.serves or '–')}", highlight=False)
        _out.print(f"  {one.told.zh}\n  [dim]{one.told.en}[/]", highlight=False)
        members = shown(" ".join(one.places.members) or "–")
        _out.print(f"  members 成员 {members} · stays 住院 {len(one.places.stays):,}", highlight=False)
        if one.entered:
            _out.print(f"  entered already 已登记: audit entry 审计条目 {one.entered}", highlight=False)
        if one.closed:
            _out.print(f"  no way back to 不能再退回 {shown(' '.join(one.closed))}", highlight=False)
    _out.print("[yellow]预演，未作任何改动。 A dry run: nothing was changed.[/]", highlight=False)


def _tell(taken: "Taken") -> None:
    versions = f"{taken.before or '–'} → {taken.after or '–'}"
    mark, where = _MARKS.get(taken.outcome, "[red]✗[/]"), shown(taken.places.region or "–")
    task = shown(taken.places.task or "–")
    _out.print(f"{mark} [bold]{where}[/] {task} {shown(versions)} {taken.code or ''}".rstrip(), highlight=False)
    for text in (taken.why, *([taken.remedy] if taken.remedy else [])):
        _out.print(f"  {shown(text.zh)}\n  [dim]{shown(text.en)}[/]", highlight=False)
    _out.print(f"  audit entry 审计条目 {taken.entry} · members 成员 {shown(' '.join(taken.places.members) or '–')}")
    if taken.closed:
        _out.print(f"  no way back to 不能再退回 {shown(' '.join(taken.closed))}", highlight=False)
    if taken.unread:
        labels = shown(" ".join(taken.unread))
        _out.print(
            f"  [red]{labels}[/] certificate not readable yet: run it again 证书暂不可读，请重试", highlight=False
        )
    if taken.certificate:
        proof = taken.certificate
        _out.print(
            f"  total 总和 {proof['total_before'][:16]} → {proof['total_after'][:16]} · retrained 重训 "
            f"{(proof['retrained_from_records'] or '–')[:16]} · {1000 * proof['seconds']:.1f} ms · "
            f"exact 精确 {proof['exact_parameters']}/{proof['parameters']}",
            highlight=False,
        )
        _out.print("  cannot be undone 不能撤回:", highlight=False)
        for told in map(lambda one: Message(**one), proof["not_undone"]):
            _out.print(f"    {shown(told.zh)}\n    [dim]{shown(told.en)}[/]", highlight=False)
