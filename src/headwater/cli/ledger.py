"""``headwater ledger``: what privacy the sources have spent, how much is left, and the proof of both."""

from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The privacy ledger. / 隐私账本")
_out = Console()

Source = Annotated[str | None, typer.Option(help="Only this source. / 只看此来源")]


@app.command()
def show(
    source: Source = None,
    month: Annotated[str | None, typer.Option(help="As 2026-11; default: the running one. / 月份")] = None,
    as_json: Json = False,
) -> None:
    """Show what is spent by source, purpose and period, and what is left. / 已用与剩余额度."""
    from headwater.steps.ledger import show as run

    with refusing():
        report = run(home(), source=source, month=month)
    if as_json:
        print_json(report.to_dict())
        return
    table = listing(
        *("source 来源", "purpose 用途", "seen by 可见方", "period 期间"),
        *("releases 次数", "spent ε 已用", "cap 上限", "left 剩余"),
        numbers=4,
    )
    for one in report.balances:
        account = one.account
        amounts = (f"{one.spent:.3f}", f"{one.cap:g}", f"{one.cap - one.spent:.3f}")
        where = (account.source_id, account.purpose or "*", account.tier or "*", account.period)
        table.add_row(*map(shown, where), f"{one.releases:,}", *amounts)
    _out.print(table)
    for delta in sorted({one.delta for one in report.balances}):
        _out.print(f"δ = {delta:g}", highlight=False)
    if not report.balances:
        _out.print("尚无支出。 Nothing has been spent.", highlight=False)


@app.command()
def forecast(
    source: Source = None,
    epsilon: Annotated[
        float | None, typer.Option(min=1e-6, help="Of a Gaussian release; default: the usual one. / 每次 ε")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how many more releases of the usual kind fit. / 预计还可发布多少次."""
    from headwater.steps.forecast import forecast as run

    with refusing():
        report = run(home(), source=source, epsilon=epsilon)
    if as_json:
        print_json(report.to_dict())
        return
    headings = ("source 来源", "purpose 用途", "ε each 每次", "more this month 本月还可", "more ever 总共还可")
    table = listing(*headings, numbers=3)
    for line in report.lines:
        counts = (f"{line.month:,}", f"{line.lifetime:,}")
        table.add_row(shown(line.source_id), shown(line.purpose), f"{line.epsilon:.3f}", *counts)
    _out.print(table)


@app.command()
def prove(as_json: Json = False) -> None:
    """Compute every balance again from the entries and compare. / 由明细重算并核对."""
    from headwater.steps.ledger import prove as run

    with refusing():
        report = run(home())
    if as_json:
        print_json(report.to_dict())
    else:
        _out.print(f"明细 entries {report.entries:,} · 账户 balances {report.balances:,}", highlight=False)
        _out.print(f"head {report.head}", highlight=False, soft_wrap=True)
        for fault in report.faults:
            _out.print(f"[red]✗[/] {shown(fault.zh)}\n  {shown(fault.en)}", highlight=False)
        if report.holds:
            _out.print("[green]✓[/] 余额与明细一致。 The balances are those of the entries.", highlight=False)
    if not report.holds:
        raise typer.Exit(1)
