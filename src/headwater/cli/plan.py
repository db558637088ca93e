"""``headwater plan``: how the chosen sources would be joined, by which mechanisms, at what cost, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding

from headwater.cli.command import home, print_json, refusing
from headwater.cli.knowledge import UNPROTECTED, Asked, Protect, occasions, options
from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.aggregation import Plan
    from headwater.steps.plan import PlanReport

__all__ = ["plan"]

_out = Console()


@options
def plan(
    *,
    model: Annotated[str, typer.Option(help="What would be learned. / 模型")] = "stay_cost_ridge",
    purpose: Annotated[str, typer.Option(help="As requirements call it. / 用途")] = "aggregation",
    explain: Annotated[bool, typer.Option("--explain", help="Every edge, and why. / 逐边说明理由")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw it into this PNG. / 绘制为 PNG")] = None,
    protect: Protect = UNPROTECTED,
    asked: Asked,
) -> None:
    """Plan how the chosen sources would be joined; nothing is asked or spent. / 规划众源汇聚."""
    from headwater.steps.plan import plan as step
    from headwater.steps.wish import Wish

    with refusing():
        wish = Wish(*protect)  # type: ignore[arg-type]
        runs = list(occasions(asked))
        for run in runs:
            file = _of_region(picture, str(run.region)) if picture and len(runs) > 1 else picture
            report = step(home(), run=run, task=asked.task, model=model, purpose=purpose, wish=wish)
            report = report.drawn(file) if file else report
            if asked.as_json:
                print_json(report.to_dict())
            else:
                _tell(report, explain=explain)


def _of_region(picture: Path, region: str) -> Path:
    return picture.with_name(f"{picture.stem}-{region.replace('/', '_')}{picture.suffix}")


def _tell(report: "PlanReport", *, explain: bool) -> None:
    _out.print(f"[bold]{shown(report.region)}[/] · {shown(report.task)} · {shown(report.purpose)}")
    if report.plan is None:
        _out.print("nobody to be asked 无来源可询问")
        return
    _tell_strands(report.plan)
    if explain:
        _tell_edges(report.plan)
        _tell_whys(report.plan)
    for source, why in report.refused.items():
        if source not in report.plan.refused or not explain:
            _out.print(f"[yellow]{shown(source)}[/]")
            _said(why.zh, why.en)
    if report.picture:
        _out.print(f"picture 图: {shown(str(report.picture))}", soft_wrap=True)
    _out.print(f"plan 计划 {report.plan.digest[:16]}")


def _tell_strands(found: "Plan") -> None:
    """Show what the region would get, and what it takes."""
    from headwater.aggregation.planning.reasoning import strand_named

    table = listing("Strand 股", "Sources 来源", "Noise 噪声标准差", numbers=2)
    strands: dict[str, set[str]] = {strand: set() for strand in found.expected.deviations}
    for group in found.groups:
        strands[group.strand] |= set(group.members) & set(found.reasons)
    for strand, deviation in found.expected.deviations.items():
        name = strand_named(strand)
        table.add_row(f"{name.zh}\n{name.en}", str(len(strands[strand])), f"{deviation:,.1f}")
    _out.print(table)
    expected = found.expected
    sent = sum(expected.bytes_sent.values())
    root = sum(
        expected.bytes_sent[name] for group in found.groups if group.tier == found.job.region for name in group.members
    )
    _out.print(f"sent in all 总发送 {sent:,} B · to the region 送达统筹区 {root:,} B · {expected.seconds:.2f} s")
    worth, records = expected.weight, sum(one.records for one in found.suppliers)
    _out.print(f"worth as many records without noise 相当于无噪声记录 {worth:,.0f} / {records:,}")


def _tell_edges(found: "Plan") -> None:
    """Show who speaks to whom by which mechanism."""
    from headwater.aggregation.planning.explaining import edges, named
    from headwater.aggregation.planning.reasoning import leaving

    tier = None
    for edge in edges(found):
        if edge.tier != tier:
            tier = edge.tier
            _out.print(f"{'  ' * edge.depth}[bold]{shown(tier)}[/]")
        how = leaving(edge.mechanism)
        text = f"← {named(edge.names)}: {how.zh} {how.en}"
        _out.print(Padding(shown(text), (0, 0, 0, 2 * edge.depth + 2)))


def _tell_whys(found: "Plan") -> None:
    """Show why."""
    from headwater.aggregation.planning.explaining import named, whys

    for why in whys(found):
        colour = "green" if why.joins else "yellow"
        _out.print(f"[{colour}]{shown(named(why.names))}[/]")
        _said(why.reason.zh, why.reason.en)


def _said(zh: str, en: str) -> None:
    for text in (zh, en):
        _out.print(Padding(shown(text), (0, 0, 0, 2)))
