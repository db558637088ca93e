"""``headwater price`` and ``policy``: what stays are paid, and under which policies."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.group import Anew
from headwater.cli.shown import listing, shown

__all__ = ["policy", "price"]

policy = typer.Typer(no_args_is_help=True, help="Payment policies. / 支付政策")
_out = Console()

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


@policy.command("list")
def list_policies(as_json: Json = False) -> None:
    """List every version of every policy and when it holds. / 列出支付政策."""
    from headwater.steps.policies import policies

    with refusing():
        found = policies(home())
    if as_json:
        print_json({"policies": [one.to_dict() for one in found]})
        return
    table = listing("policy 政策", "version 版本", "holds 有效期", "plan 方案", "weights 权重", "tests 测试", numbers=2)
    for one in found:
        regions = "、".join(one.regions) or "all regions 全部地区"
        name = f"[bold]{shown(one.name)}[/]\n{shown(one.title.zh)}\n[dim]{shown(one.title.en)}[/]"
        days = f"{one.first} –\n{one.last or '…'}\n[dim]{shown(regions)} {one.currency}[/]"
        table.add_row(name, one.version, days, shown(one.plan), f"{one.weights:,}", f"{one.tests:,}")
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
