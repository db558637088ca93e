"""``headwater price``, ``what-if`` and ``policy``: what stays are paid, and what they would be under other policies."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.deliveries import whoami
from headwater.cli.group import Anew
from headwater.cli.shown import listing, shown

__all__ = ["policy", "price", "what_if"]

policy = typer.Typer(no_args_is_help=True, help="Payment policies. / 支付政策")


class Trim(StrEnum):
    """Which stays are left out of a mean: beyond 1.5 interquartile ranges or three deviations, of logarithms."""

    iqr = "iqr"
    sigma = "sigma"


_out = Console()
_DAY = ["%Y-%m-%d"]

_UNPRICED = {"invalid": "front page not valid\n首页无效", "no_policy": "no policy holds\n无生效政策"}


def price(anew: Anew = False, as_json: Json = False) -> None:
    """Price grouped stays under the policy that holds for them, to the fen. / 支付计算."""
    from headwater.steps.price import PAID_AS
    from headwater.steps.price import price as run

    with refusing():
        report = run(home(), anew=anew)
    if as_json:
        print_json(report.to_dict())
        return
    facts = report.facts
    table = listing("paid as 支付方式", "stays 住院", numbers=1)
    for name, count in facts.paid_as.items():
        table.add_row(f"{PAID_AS[name].en}\n[dim]{PAID_AS[name].zh}[/]", f"{count:,}")
    for name, count in facts.unpriced.items():
        table.add_row(f"[yellow]{_UNPRICED[name]}[/]", f"{count:,}")
    _out.print(table)
    money = listing("policy 政策", "cost 费用", "payable 应付", "fund 基金", "balance 盈亏", numbers=4)
    for name, sums in facts.sums.items():
        money.add_row(shown(name), *(f"{sums[key]:,.2f}" for key in ("cost", "payable", "fund", "balance")))
    _out.print(money)
    _out.print(
        f"stays 住院 {facts.stays:,} · asked 本次计算 {report.asked:,} · gone 已撤销 {report.gone:,} · "
        f"{report.seconds:.1f} s",
        highlight=False,
    )


def what_if(
    before: Annotated[str, typer.Option(help="Policy: name, name/first day, version or file. / 比较前的政策")],
    after: Annotated[str, typer.Option(help="The other policy. / 比较后的政策")],
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="First day of discharge. / 出院起日")],
    last: Annotated[datetime, typer.Option("--to", formats=_DAY, help="Last day of discharge. / 出院止日")],
    base: Annotated[
        tuple[datetime, datetime] | None,
        typer.Option(formats=_DAY, help="Earlier period: decompose the change from it. / 基期，用于分解变化"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Price a period's published stays under two policies: who gains, who loses, and why. / 政策测算."""
    from headwater.claims.payment import load_policy
    from headwater.steps.what_if import find_policy
    from headwater.steps.what_if import what_if as run

    period, compared = (first.date(), last.date()), (base[0].date(), base[1].date()) if base else None
    with refusing():
        place = home()
        # A draft need not lie among the policies.
        sides = [load_policy(Path(one)) if Path(one).is_file() else find_policy(place, one) for one in (before, after)]
        report = run(place, *sides, period=period, base=compared)
    if as_json:
        print_json(report.to_dict())
    else:
        _tell_what_if(report)


def _tell_what_if(report: Any) -> None:
    from headwater.steps.what_if import BY

    for side, name in (("before 前", report.before), ("after 后", report.after), ("plan 方案", report.plan)):
        _out.print(f"{side} {shown(name)}", highlight=False)
    _out.print(f"published snapshot 已发布快照 {report.snapshot_id}", highlight=False)
    table = listing("account 账户", "before 前", "after 后", "change 变化", numbers=3)
    for account, change in _CHANGES.items():
        amounts = (f"{report.total[f'{account}_{side}']:,.2f}" for side in ("before", "after"))
        table.add_row(_ACCOUNTS[account], *amounts, _changed(report.total[change]))
    _out.print(table)
    for key, told in BY.items():
        headings = ("payable after 应付", "change 变化", "fund after 基金", "change 变化")
        table = listing(f"{told.en} {told.zh}", "stays 住院", *headings, numbers=5)
        for row in [*report.by[key][:_SHOWN], {**report.total, key: "all 合计"}]:
            payable, fund = (f"{row[f'{account}_after']:,.0f}" for account in ("payable", "fund"))
            changes = (_changed(row[_CHANGES[account]], places=0) for account in ("payable", "fund"))
            table.add_row(shown(str(row[key] or "–")), f"{row['stays']:,}", payable, next(changes), fund, next(changes))
        _out.print(table)
        _tell_more(report.by[key])
    if report.effects is not None:
        _tell_effects(report)


def _tell_effects(report: Any) -> None:
    """Tell of what the fund's change from the base period is made, in the region and for each value by itself."""
    from headwater.steps.what_if import BY

    first, last = report.base
    _out.print(f"change of the fund from 基金较基期变化 {first} – {last}", highlight=False)
    table = listing("effect on the fund 基金变化", "amount 金额", numbers=1)
    for name, effect in _EFFECTS.items():
        table.add_row(effect, f"{report.effects[name]:+,.2f}")
    _out.print(table)
    for key, told in BY.items():
        table = listing(f"{told.en} {told.zh}", "stays 住院", *_EFFECTS.values(), numbers=len(_EFFECTS) + 1)
        for row in report.effects_by[key][:_SHOWN]:
            stays = f"{row['stays_before']:,}→{row['stays_after']:,}"
            table.add_row(shown(str(row[key] or "–")), stays, *(f"{row[name]:+,.0f}" for name in _EFFECTS))
        _out.print(table)
        _tell_more(report.effects_by[key])
    _out.print("[dim]each row by itself: only the sums add up to the region's\n各行分别分解，仅合计可加总至全地区[/]")


def _tell_more(rows: Sequence[object]) -> None:
    if len(rows) > _SHOWN:
        _out.print(f"[dim]… {len(rows) - _SHOWN} more 更多：--json[/]", highlight=False)


def _changed(amount: Decimal, *, places: int = 2) -> str:
    colour = "green" if amount > 0 else "red" if amount < 0 else "dim"
    return f"[{colour}]{amount:+,.{places}f}[/]"


_SHOWN = 10
_ACCOUNTS = {"payable": "payable 应付", "fund": "fund 基金", "self_pay": "self-pay 个人"}
_CHANGES = {"payable": "change", "fund": "fund_change", "self_pay": "self_pay_change"}
_EFFECTS = {
    "volume": "volume 人次",
    "mix": "mix 结构",
    "price": "price 例均",
    "policy": "policy 政策",
    "change": "sum 合计",
}


@policy.command("list")
def list_policies(as_json: Json = False) -> None:
    """List every version of every policy and when it holds. / 列出支付政策."""
    from headwater.steps.policies import policies

    with refusing():
        found = policies(home())
    if as_json:
        print_json({"policies": [one.to_dict() for one in found]})
        return
    table = listing(
        "policy, plan 政策、方案", "version 版本", "holds 有效期", "whose 地区", "weights 权重", "tests 测试", numbers=2
    )
    for one in found:
        name = f"[bold]{shown(one.name)}[/]\n[dim]{shown(one.plan)}[/]"
        if one.added_by:
            name += f"\n{shown(one.added_by)}: {shown(one.why or '')}"
        whose = f"{shown('、'.join(one.regions)) or 'all 全部'}\n[dim]{shown(one.currency)}[/]"
        table.add_row(name, one.version, f"{one.first}\n{one.last or '…'}", whose, f"{one.weights:,}", f"{one.tests:,}")
    _out.print(table)


@policy.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="A file or folder; default: all policies. / 文件或目录")] = None,
    as_json: Json = False,
) -> None:
    """Read policies and run the tests in them. / 检查政策文件并运行其自带测试."""
    from headwater.steps.policies import check as run

    with refusing():
        found = run(home(), path)
    if as_json:
        print_json({"policies": [one.to_dict() for one in found]})
    else:
        for one in found:
            mark = "[red]✗[/]" if one.refusal else "[green]✓[/]"
            _out.print(f"{mark} {shown(one.file)}", highlight=False, soft_wrap=True)
            if one.refusal is None:
                _out.print(f"    {shown(one.name or '')} · tests 测试 {one.tests}", highlight=False)
                continue
            for text in (one.refusal.reason, one.refusal.remedy):
                _out.print(f"    {shown(text.zh)}\n    {shown(text.en)}", highlight=False)
    if any(one.refusal for one in found):
        raise typer.Exit(1)


@policy.command()
def add(
    file: Annotated[Path, typer.Argument(help="The policy, its csv of weights beside it. / 政策文件")],
    reason: Annotated[str, typer.Option(help="Why it is added. / 理由")],
    supersede: Annotated[
        bool, typer.Option("--supersede", help="In place of the version of the same first day. / 取代同一生效日的版本")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who adds it; default: you. / 加入人")] = None,
    as_json: Json = False,
) -> None:
    """Add a policy to the register as a dated version; groups and payments follow it. / 加入付费政策的新版本."""
    from headwater.claims.payment import load_policy, read_alone
    from headwater.steps.write_policy import add as run
    from headwater.steps.write_policy import judge

    with refusing():
        # What is wrong is told at the line of the file itself, not of the text with its csv written into it.
        load_policy(file)
        place, text = home(), read_alone(file)
        there = judge(place, text).over if supersede else None
        entry = run(place, text, signed=(by or whoami(), reason), over=there.tag if there else None)
    if as_json:
        told = ("entry_id", "name", "valid_from", "version", "replaces", "added_by", "added_at", "why")
        print_json({name: getattr(entry, name) for name in told})
        return
    _out.print(
        f"{shown(entry.name)}/{entry.valid_from} · version 版本 {entry.version} · entry 登记 {entry.entry_id}"
        + (f" · supersedes 取代 {entry.replaces}" if entry.replaces else ""),
        highlight=False,
    )
    _out.print(
        "下一次 headwater group 与 price 按它计算。\nThe next headwater group and price follow it.", highlight=False
    )


@policy.command()
def estimate(
    name: Annotated[str, typer.Argument(help="Policy: name, name/first day or version. / 现行政策")],
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="First day of the new one. / 新版生效日")],
    out: Annotated[Path, typer.Option(help="File to write; it must not be there. / 写入的文件")],
    months: Annotated[int, typer.Option(min=1, max=240, help="Months of cost data before that day. / 数据月数")] = 36,
    trim: Annotated[Trim, typer.Option(help="Which stays are left out of a mean. / 裁剪规则")] = Trim.iqr,
    as_json: Json = False,
) -> None:
    """Draft the next version: weights and rates from what stays cost, budget-neutral. / 重新测算权重与费率."""
    from headwater.claims.payment import Settings
    from headwater.steps.estimate import estimate as run
    from headwater.steps.estimate import put
    from headwater.steps.what_if import find_policy

    with refusing():
        place = home()
        settings = Settings(months=months, trim=trim.value)
        old = find_policy(place, name)
        found = run(place, old, valid_from=first.date(), settings=settings)
        put(out, found.text)
    factor, rates = Decimal(found.policy.neutral).scaleb(-6).normalize(), _rates(old, found.policy)
    groups = sorted(found.groups.to_pylist(), key=lambda row: -row["n"])
    paid = {"before": found.payable_before_fen, "after": found.payable_after_fen}
    if as_json:
        told = {"neutral_factor": factor, "rates": rates, "payable_fen": paid, "groups": groups}
        print_json({"file": str(out), "version": found.policy.version, **told})
        return
    table = listing("DRG 病组", "stays 住院", "kept 采用", "weight before 原权重", "weight 新权重", numbers=4)
    for row in groups[:_SHOWN]:
        table.add_row(
            row["drg"], f"{row['n']:,}", f"{row['n_kept']:,}", row["weight_before"] or "–", row["weight"] or "–"
        )
    _out.print(table)
    money = listing("level 级别", "insurance 险种", "rate before 原费率", "rate 新费率", numbers=2)
    for row in rates:
        money.add_row(
            *(shown(str(row[name])) for name in ("hosp_lv", "insutype")), *(_or(row[side]) for side in _SIDES)
        )
    _out.print(money)
    _out.print(f"neutral factor 中性系数 {factor:f}", highlight=False)
    payable = " → ".join(f"{amount / 100:,.2f}" for amount in paid.values())
    _out.print(f"payable of the window 窗口应付 {payable}\n{shown(str(out))}", highlight=False, soft_wrap=True)


def _rates(old: Any, new: Any) -> list[dict[str, Any]]:
    """Return the base rates under both policies, by level and insurance type."""
    sides = [{key: Decimal(fen).scaleb(-2) for key, fen in side.rates.items()} for side in (old, new)]
    keys = sorted(set(sides[0]) | set(sides[1]), reverse=True)
    return [
        {"hosp_lv": key[0], "insutype": key[1], **dict(zip(_SIDES, (side.get(key) for side in sides), strict=True))}
        for key in keys
    ]


def _or(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount:,.2f}"


_SIDES = ("before", "after")


@policy.command()
def budget(
    name: Annotated[str, typer.Argument(help="Policy: name, name/first day or version. / 政策")],
    on: Annotated[datetime, typer.Option(formats=_DAY, help="Last day of discharge that counts. / 截止日")],
    as_json: Json = False,
) -> None:
    """Tell what hospitals were prepaid, used and are settled in the year to a day. / 总额预算预付与清算."""
    from headwater.steps.budget import budget as run
    from headwater.steps.budget import find_budget

    with refusing():
        place = home()
        report = run(place, find_budget(place, name, on=on.date()), on=on.date())
    if as_json:
        print_json(report.to_dict())
        return
    _out.print(f"{shown(report.policy)} · 1.1 – {report.on}", highlight=False)
    hospitals = listing("hospital 医院", *_BUDGET.values(), numbers=len(_BUDGET))
    for row in report.hospitals:
        hospitals.add_row(shown(str(row["hospital_id"] or "–")), *(_whole(row[column]) for column in _BUDGET))
    _out.print(hospitals)
    # Funds are neither prepaid nor shared.
    funds = listing("insurance 险种", "stays 住院", "budget 预算", "used 发生", numbers=3)
    for row in report.funds:
        told = (_whole(row[column]) for column in ("stays", "to_date", "used"))
        funds.add_row(shown(str(row["insutype"] or "–")), *told)
    _out.print(funds)
    whose = {"hospital_id": report.hospitals, "insutype": report.funds}
    _tell_forecasts([(row[column], row) for column, rows in whose.items() for row in rows])


def _tell_forecasts(rows: Sequence[tuple[Any, Any]]) -> None:
    """Tell what the whole year is expected to use, beside its whole budget."""
    table = listing("whole year 全年", "method 方法", "budget 预算", "expected 预计", "95 % 区间", numbers=3)
    for name, row in rows:
        between = "–"
        if row["forecast_low"] is not None:
            between = f"{_whole(row['forecast_low'])} … {_whole(row['forecast_high'])}"
        method = _METHODS.get(row["forecast_method"], "–")
        amounts = (_whole(row["budget"]), _whole(row["forecast"]))
        table.add_row(shown(str(name or "–")), method, *amounts, between)
    _out.print(table)


def _whole(amount: Any) -> str:
    return "–" if amount is None else f"{amount:,.0f}"


_METHODS = {"run_rate": "run rate\n[dim]月均推算[/]", "seasonal_run_rate": "seasonal\n[dim]按季节推算[/]"}


_BUDGET = {
    "to_date": "budget 预算",
    "prepaid": "prepaid 预付",
    "used": "used 发生",
    "settled": "settled 清算",
    "difference": "to pay 补付",
}
"""What is told of a budget; all amounts are of the year to date."""
