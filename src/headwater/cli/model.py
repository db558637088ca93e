"""``headwater model``: versions listed, shown, promoted, rolled back, computed again, retrained; predictions traced."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.knowledge import Asked, occasions, options
from headwater.cli.shown import listing, shown
from headwater.cli.told import left_out
from headwater.cli.traced import tell_lineage

if TYPE_CHECKING:
    from headwater.adapters.knowledge import Run
    from headwater.adapters.versions import Line, Member
    from headwater.steps.models import Listed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Model versions. / 模型版本")
_out = Console()

Label = Annotated[str, typer.Argument(help="NAME/NUMBER, or NUMBER where there is one model. / 名称/版本号")]
Name = Annotated[str | None, typer.Argument(help="Of the registered model; default: the only one. / 模型名称")]


def _run(what: str, *, seed: int = 20260101) -> "Run":
    from headwater.adapters.knowledge import Run

    now = datetime.now(UTC)
    return Run(name=f"cli {what} {now:%Y-%m-%dT%H:%M:%S.%fZ}", at=now, seed=seed)


@app.command("list")
def list_versions(name: Name = None, as_json: Json = False) -> None:
    """List versions, the newest first, and which serves. / 列出版本与现役."""
    from headwater.steps.models import listed

    with refusing():
        found = listed(home(), name=name)
    if as_json:
        print_json({"versions": [one.to_dict() for one in found]})
        return
    table = listing("version 版本", "made by 由来", "month 月份", "sources 来源", "R²", "MAE", "state 状态", numbers=0)
    # Names, months and figures stay whole in eighty columns, up to version 999 of a name like stay_cost-楚源省.
    table.padding = (0, 1, 0, 0)
    table.columns[0].no_wrap = table.columns[-1].no_wrap = True
    for one in found:
        line = one.line
        month = f"{line.month:%Y-%m}" if line.month else "–"
        figures = (line.r2_log, ".4f"), (line.mae, ",.0f")
        numbers = [format(figure, digits) if figure is not None else "–" for figure, digits in figures]
        table.add_row(shown(line.label), line.step, month, str(len(line.sources)), *numbers, _state(one))
    _out.print(table)
    if not found:
        _out.print("尚无模型版本。 No model version yet.", highlight=False)


def _state(one: "Listed") -> str:
    marks = []
    if one.serves:
        marks.append("[green]champion 现役[/]")
    if one.withdrawn:
        marks.append("[red]withdrawn from 含已退出记录[/]")
    if one.line.body:
        marks.append("[yellow]body due 主体待重训[/]")
    return " ".join(marks)


@app.command()
def show(label: Label, as_json: Json = False) -> None:
    """Show a version: sources and their value then, protection, ε, exactness, parent. / 查看版本."""
    from headwater.steps.models import detail

    with refusing():
        found = detail(home(), label)
    if as_json:
        print_json(found.to_dict())
        return
    line = found.listed.line
    _out.print(f"[bold]{shown(line.label)}[/] {_state(found.listed)}", highlight=False)
    for zh, value in _facts(line):
        _out.print(f"  {zh} {shown(value)}", highlight=False)
    tell_members(found.members)
    for one in found.served:
        _out.print(f"{one.as_of:%Y-%m-%d %H:%M} UTC · {one.why} · audit entry 审计条目 {one.entry}", highlight=False)
        if one.difference is not None:
            against = shown(one.opponent or "the bureau's records alone 仅医保局")
            _out.print(
                f"    {one.metric} {one.difference:+.4g} ({one.low:+.4g} … {one.high:+.4g}) · {against} · {one.rows:,}",
                highlight=False,
            )


def _facts(line: "Line") -> list[tuple[str, str]]:
    scores = f"R² {line.r2_log:.4f} · MAE {line.mae:,.2f} {line.currency}" if line.r2_log and line.mae else "–"
    return [
        ("model 模型", f"{line.model} · {line.step}"),
        ("made 登记于", f"{line.as_of:%Y-%m-%d %H:%M} UTC"),
        ("data 数据", f"snapshot 快照 {line.snapshot}"),
        ("figures 指标", scores),
        ("exact 精确参数", f"{line.exact or '–'}{f' · body of 主体来自 {line.body}' if line.body else ''}"),
        ("members' statistics 成员统计量", "held 在册" if line.is_held else "sums alone 只有合计"),
        ("parent 父版本", line.parent or "–"),
        ("served then 当时现役", line.opponent or "–"),
        ("MLflow", line.mlflow_run or "–"),
    ]


def tell_members(members: "tuple[Member, ...]") -> None:
    """Tell of a version's sources."""
    table = listing("source 来源", "protection 保护", "months 月份", "value then 当时价值", "ε", numbers=2)
    for one in members:
        months = f"{one.months[0]} … {one.months[-1]}" if one.months else "all 全部"
        value = f"{one.value:+.4f}" if one.value is not None else "–"
        epsilon = f"{one.epsilon:.3f}" if one.epsilon else "–"
        table.add_row(shown(one.source), shown(one.protection or "–"), months, value, epsilon)
    _out.print(table)


@app.command()
def promote(label: Label, as_json: Json = False) -> None:
    """Let a version serve, if it is better beyond its interval on held-out stays. / 提升为现役."""
    from headwater.steps.models import parsed
    from headwater.steps.promote import promote as step

    with refusing():
        name, number = parsed(home(), label)
        found = step(home(), run=_run("promote"), name=name, number=number)
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(
        f"[green]✓[/] {shown(found.after)} serves 现役 · before 此前 {shown(found.before or '–')}", highlight=False
    )
    _out.print(f"{shown(found.comparison.told.zh)}\n{shown(found.comparison.told.en)}", highlight=False)


@app.command()
def rollback(
    name: Name = None,
    to: Annotated[int | None, typer.Option(min=1, help="That served once; default: the one before. / 版本号")] = None,
    as_json: Json = False,
) -> None:
    """Let the version serve again that served before; entered in the audit log. / 退回先前的现役版本."""
    from headwater.steps.models import only
    from headwater.steps.rollback import rollback as step

    with refusing():
        found = step(home(), run=_run("rollback"), name=name or only(home()), to=to)
    if as_json:
        print_json(found.to_dict())
        return
    _out.print(
        f"[green]✓[/] {shown(found.before)} → {shown(found.after)} · audit entry 审计条目 {found.entry} · "
        f"{found.seconds:.2f} s",
        highlight=False,
    )


@app.command()
def reproduce(label: Label, as_json: Json = False) -> None:
    """Compute a version again and compare; ends with 1 where something differs. / 重现并核对，不一致时以 1 退出."""
    from headwater.steps.models import parsed
    from headwater.steps.reproduce import reproduce as step

    with refusing():
        name, number = parsed(home(), label)
        found = step(home(), run=_run("reproduce"), name=name, number=number)
    if as_json:
        print_json(found.to_dict())
    else:
        mark = "[green]✓[/]" if found.is_whole else "[yellow]![/]" if found.holds else "[red]✗[/]"
        _out.print(f"{mark} {shown(found.label)} · {shown(found.how.zh)}\n  {shown(found.how.en)}", highlight=False)
        difference = "–" if found.parameters is None else f"{found.parameters:.3g}"
        bits = " · bit for bit 逐位相同" if found.is_bitwise else ""
        _out.print(
            f"  parameters 参数 {found.computed:,}/{found.every:,} · difference 差 {difference}{bits}\n"
            f"  figures 指标 {found.scores:.3g} · data 数据 {'same 相同' if found.data_is_same else 'changed 已变'}",
            highlight=False,
        )
        for why in found.why_not:
            _out.print(f"  [yellow]![/] {shown(why.zh)}\n    {shown(why.en)}", highlight=False)
    if not found.holds:
        raise typer.Exit(1)


@app.command()
@options
def retrain(
    *,
    model: Annotated[
        str, typer.Option(help="The scheduled part of a network is its body. / 模型")
    ] = "stay_cost_network",
    asked: Asked,
) -> None:
    """Train anew on the chosen sources, the last layer exactly from their statistics. / 重训（网络主体与精确末层）."""
    from headwater.steps.retrain import retrain as step

    with refusing():
        for run in occasions(asked):
            report = step(home(), run=run, task=asked.task, model=model)
            if asked.as_json:
                print_json(report.to_dict())
                continue
            serves = "[green]champion 现役[/]" if report.registered.is_champion else "not champion 未成为现役"
            exact, every = report.exact
            _out.print(
                f"{shown(report.registered.version.label)} · {serves} · exact 精确 {exact}/{every}", highlight=False
            )
            told = report.registered.comparison.told
            _out.print(f"{shown(told.zh)}\n{shown(told.en)}", highlight=False)
            left_out(report.refused)


@app.command()
def lineage(
    stay: Annotated[str, typer.Argument(help="Its stay_id. / 住院号")],
    version: Annotated[int | None, typer.Option(min=1, help="Default: the one that serves. / 版本号")] = None,
    as_json: Json = False,
) -> None:
    """Trace the prediction for a stay to all that it rests on. / 预测溯源."""
    from headwater.steps.lineage import lineage_of

    with refusing():
        found = lineage_of(home(), stay, version=version)
    if as_json:
        print_json(found.to_dict())
        return
    tell_lineage(found)
    tell_members(found.members)
