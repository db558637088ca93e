"""``headwater extreme``: stays that cost far more or less than stays like them, and what people decide about them."""

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.deliveries import whoami
from headwater.cli.shown import listing, shown

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Extreme stays that wait for a person. / 极端费用病例审核")
_out = Console()

Stay = Annotated[str, typer.Argument(help="The stay, as listed. / 住院编号")]


@app.command()
def find(
    limit: Annotated[
        float, typer.Option(min=1.0, help="Standard deviations from what is expected. / 偏离标准差")
    ] = 3.0,
    as_json: Json = False,
) -> None:
    """Judge all grouped stays by trim points and by the model. / 查找极端费用病例."""
    from headwater.steps.extremes import find as run

    with refusing():
        found = run(home(), limit=limit)
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(
        f"stays 病例 {found.stays:,} · rule 规则 {found.by_rule:,} · model 模型 {found.by_model:,} · both 两者 "
        f"{found.by_both:,} · waiting 待审 {found.waiting:,} · {found.seconds:.1f} s",
        highlight=False,
    )
    for currency, money in found.at_stake.items():
        _out.print(f"at stake 涉及金额 {money:,.2f} {shown(currency)}", highlight=False)


@app.command("list")
def list_(
    hospital: Annotated[str | None, typer.Option(help="Of this hospital only. / 只列此医院")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most. / 最多列出")] = 20,
    as_json: Json = False,
) -> None:
    """List what waits, the most money at stake first. / 按涉及金额列出待审病例."""
    from headwater.steps.extremes import waiting

    with refusing():
        found = waiting(home(), hospital=hospital, limit=limit + (not as_json))
    if as_json:
        print_json({"stays": [one.to_dict() for one in found]})
        return
    table = listing("stay 住院", "group 组", "side 方向", "cost 费用", "at stake 涉及金额", numbers=2)
    for one in found[:limit]:
        side = "high 高" if one.side == "high" else "low 低"
        methods = f"{side}\n[dim]{'、'.join(_METHODS[name] for name in one.methods)}[/]"
        names = f"{shown(one.stay_id)}\n[dim]{shown(one.hospital_id)}[/]"
        table.add_row(names, shown(one.drg), methods, f"{one.amount:,.2f}", f"{one.at_stake:,.2f}\n{one.currency}")
    _out.print(table)
    if len(found) > limit:
        _out.print("[dim]… more 更多：--limit[/]", highlight=False)


_METHODS = {"rule": "rule 规则", "model": "model 模型"}
_PARTS = {"drug": "drug 药品", "consumable": "consumable 耗材", "service": "service 服务"}


@app.command()
def show(stay_id: Stay, as_json: Json = False) -> None:
    """Show one stay: reasons, the lines that make it extreme, decisions. / 显示一例及其理由与明细."""
    from headwater.steps.extremes import CHOICES
    from headwater.steps.extremes import show as run

    with refusing():
        found = run(home(), stay_id)
    if as_json:
        rulings = [vars(one) for one in found.rulings]
        print_json({"stay": found.question, "is_waiting": found.is_waiting, "decisions": rulings})
        return
    for one in found.question["reasons"]:
        _out.print(f"• {shown(one['zh'])}\n  {shown(one['en'])}", highlight=False)
    _out.print(_lines(found.question["evidence"]))
    for ruling in found.rulings:
        choice = CHOICES[ruling.decision]
        _out.print(
            f"[bold]{ruling.review_id}[/] {choice.zh} {choice.en} · {shown(ruling.decided_by)} · "
            f"{ruling.decided_at:%Y-%m-%d} · {shown(ruling.why)}",
            highlight=False,
        )


def _lines(evidence: Any) -> Any:
    table = listing("part 部分", "item 项目", "billed 实收", "usual 通常", "beyond 超出", numbers=3)
    for one in evidence:
        name = "[dim]all 合计[/]" if one["part"] == "group" else f"{shown(one['name'])}\n[dim]{shown(one['code'])}[/]"
        amounts = (f"{Decimal(one[column]):,.2f}" for column in ("amount", "usual", "excess"))
        part = _PARTS.get(one["charge_group"]) or shown(one["charge_group"])
        table.add_row("\n".join(part.split(" ", 1)), name, *amounts)
    return table


@app.command()
def decide(
    stay_id: Stay,
    decision: Annotated[str, typer.Argument(help="accept, special, reduce or return. / 认可、特例单议、扣减或退回")],
    why: Annotated[str, typer.Option(help="The reason. / 理由")],
    by: Annotated[str | None, typer.Option(help="Who decides; default: you. / 审核人")] = None,
    over: Annotated[int | None, typer.Option(help="The decision that yours supersedes. / 取代的决定编号")] = None,
    as_json: Json = False,
) -> None:
    """Decide about one stay; a decision is kept for good. / 作出决定."""
    from headwater.steps.extremes import CHOICES
    from headwater.steps.extremes import decide as run

    with refusing():
        done = run(home(), stay_id, decision=decision, signed=(by or whoami(), why), over=over)
    if as_json:
        print_json(done.to_dict())
        return
    choice = CHOICES[done.decision]
    _out.print(f"[bold]{done.review_id}[/] {choice.zh}。{choice.en}.", highlight=False)
