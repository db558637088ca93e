"""``headwater group``, ``explain``, ``near``, ``grouper``: which group a stay is in, why, and what would change it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["explain", "group", "grouper", "near"]

grouper = typer.Typer(no_args_is_help=True, help="Grouping plans. / 分组方案")
_out = Console()

Stay = Annotated[str, typer.Argument(help="source:mdtrt_id, such as h0101:ZY202501000001. / 住院编号")]
Anew = Annotated[bool, typer.Option("--anew", help="All stays again, changed or not. / 全部重新计算")]


def group(anew: Anew = False, as_json: Json = False) -> None:
    """Group the stays that changed by the plan that holds for them. / 病例分组."""
    from headwater.steps.group import STATUSES
    from headwater.steps.group import group as run

    with refusing():
        report = run(home(), anew=anew)
    if as_json:
        print_json(report.to_dict())
        return
    table = listing("status 状态", "stays 住院", "share 占比", numbers=2)
    for status, count in sorted(report.statuses.items(), key=lambda pair: -pair[1]):
        told = STATUSES[status]
        table.add_row(f"{told.en}\n[dim]{told.zh}[/]", f"{count:,}", f"{count / report.stays:.1%}")
    _out.print(table)
    for name, version in report.plans.items():
        _out.print(f"plan 方案 [bold]{shown(name)}[/] {version}", highlight=False)
    _out.print(
        f"stays 住院 {report.stays:,} · asked 本次分组 {report.asked:,} · gone 已撤销 {report.gone:,} · "
        f"{report.seconds:.1f} s",
        highlight=False,
    )


def explain(stay: Stay, as_json: Json = False) -> None:
    """Tell step by step why a stay is in its group, and how its payment comes about. / 逐步解释一次住院."""
    from headwater.steps.explain import explain as run

    with refusing():
        found = run(home(), stay)
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(f"[bold]{shown(found.stay_id)}[/] → [bold]{found.drg or '–'}[/] {shown(found.drg_name or '')}")
    facts = {
        "plan 方案": f"{found.plan} {found.plan_version}" if found.plan else "",
        "diagnoses 诊断": " ".join(found.diagnoses),
        "operations 手术操作": " ".join(found.operations),
    }
    for name, value in facts.items():
        _out.print(f"{name} {shown(value or '–')}", highlight=False)
    for language in ("zh", "en"):
        _out.print()
        for number, told in enumerate(found.told, start=1):
            _out.print(f"{number:>3}. {shown(getattr(told, language))}", highlight=False)
    if found.paid is not None:
        _tell_paid(found.paid)


def _tell_paid(paid: Any) -> None:
    table = listing("account 账户", "step 步骤", "amount 金额", numbers=1)
    for line in paid.lines:
        step = f"{line.step.zh} {line.step.en}\n[dim]{shown(line.told.zh)}\n{shown(line.told.en)}[/]"
        table.add_row(_ACCOUNTS.get(line.account, line.account), step, f"{line.amount:,.2f}")
    _out.print(table)
    _out.print(
        f"cost 费用 {paid.cost:,.2f} · payable 应付 [bold]{paid.payable:,.2f}[/] = fund 基金 {paid.fund:,.2f} + "
        f"self-pay 个人 {paid.self_pay:,.2f}",
        highlight=False,
    )
    _out.print(f"policy 政策 {shown(paid.policy)} {paid.policy_version}", highlight=False)


_ACCOUNTS = {"payable": "payable\n应付", "self_pay": "self-pay\n个人", "fund": "fund\n基金"}


def near(stay: Stay, as_json: Json = False) -> None:
    """Tell what would have to differ for a stay to land in another group. / 差什么会入邻近的组."""
    from headwater.steps.near import near as run

    with refusing():
        found = run(home(), stay)
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(f"[bold]{shown(found.stay_id)}[/] → [bold]{found.drg or '–'}[/]", highlight=False)
    table = listing("group 病组", "what would differ 需要的不同")
    for one in found.groups:
        table.add_row(
            f"[bold]{shown(one.drg)}[/]\n[dim]{shown(one.name)}[/]",
            f"{shown(one.would.zh)}\n[dim]{shown(one.would.en)}[/]",
        )
    _out.print(table)


@grouper.command("list")
def list_plans(as_json: Json = False) -> None:
    """List the plans of the project and of this installation. / 列出分组方案."""
    from headwater.steps.plans import plans

    with refusing():
        found = plans(home())
    if as_json:
        print_json({"plans": [one.to_dict() for one in found]})
        return
    table = listing("plan 方案", "version 版本", "MDC", "ADRG", "DRG", "in force 在用", numbers=3)
    for one in found:
        name = f"{shown(one.name)}\n[dim]{shown(one.title)}[/]"
        used = "\n".join(one.policies) or "–"
        table.add_row(name, one.version, f"{one.mdcs:,}", f"{one.adrgs:,}", f"{one.drgs:,}", shown(used))
    _out.print(table)


@grouper.command()
def show(
    name: Annotated[str, typer.Argument(help="The plan. / 方案名")],
    like: Annotated[str, typer.Option(help="Only groups whose code begins so. / 只列以此开头的病组")] = "",
    as_json: Json = False,
) -> None:
    """List the groups of a plan. / 列出方案的病组."""
    from headwater.steps.holdings import find_plan

    with refusing():
        groups = [row for row in find_plan(home(), name).drgs.to_pylist() if row["code"].startswith(like)]
    if as_json:
        print_json({"groups": groups})
        return
    table = listing("DRG", "ADRG", "MDC", "name 名称")
    for row in groups:
        table.add_row(row["code"], row["adrg"], row["mdc"], shown(row["name"]))
    _out.print(table)


@grouper.command()
def convert(
    published: Annotated[Path, typer.Argument(help="Folder with rules.json and its tables. / 发布格式的目录")],
    name: Annotated[str | None, typer.Option(help="Name here; default: the folder's. / 方案名")] = None,
    as_json: Json = False,
) -> None:
    """Take a published plan into this installation as tables; its groups stay the same. / 转换发布的分组方案."""
    from headwater.steps.plans import convert as run

    with refusing():
        made = run(home(), published, name=name or published.resolve().name)
    if as_json:
        print_json(made.to_dict())
    else:
        _out.print(
            f"[green]✓[/] {shown(made.name)} {made.version} · DRG {made.drgs:,}\n  {made.folder}", highlight=False
        )
