"""The ``headwater`` command: every step of the job without Airflow, on the same code."""

import json
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from headwater.cli import (
    audit,
    contract,
    deliveries,
    events,
    extremes,
    group,
    indicator,
    knowledge,
    ledger,
    model,
    price,
    reference,
    review,
    warehouse,
)
from headwater.cli.command import Json, Seed, bar, home, print_json, refusing
from headwater.cli.compare import compare
from headwater.cli.expect import expect
from headwater.cli.plan import plan
from headwater.cli.readmit import readmit
from headwater.cli.returns import returns
from headwater.cli.shown import listing, shown
from headwater.cli.watch import Watch
from headwater.cli.withdraw import withdraw
from headwater.errors import Message

if TYPE_CHECKING:
    from headwater.steps.land import LandReport

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="源汇 headwater: from hospitals' deliveries to checked tables, and from hospitals' knowledge to models.",
)

app.add_typer(contract.app, name="contract")
app.add_typer(audit.app, name="audit")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(events.app, name="events")
app.add_typer(expect, name="expect")
app.add_typer(extremes.app, name="extreme")
app.add_typer(review.app, name="review")
app.add_typer(reference.app, name="reference")
app.add_typer(group.grouper, name="grouper")
app.add_typer(price.policy, name="policy")
app.add_typer(indicator.app, name="indicator")
app.add_typer(ledger.app, name="ledger")
app.add_typer(model.app, name="model")


class BenchSize(StrEnum):
    """How much of a bench's work is done."""

    ci = "ci"
    full = "full"


_MARKS = {"good": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[red]✗[/]"}
_out = Console()
_err = Console(stderr=True)

Folder = Annotated[Path | None, typer.Option("--deliveries", help="Folder; default: the inbox. / 送报目录")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        _out.print(f"headwater {version('headwater')}", highlight=False)
        raise typer.Exit()


Version = Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show it. / 版本")]


@app.callback()
def _guard(version: Version = False) -> None:
    """Set nothing: every command reads HEADWATER_HOME, HEADWATER_PROJECT and HEADWATER_POSTGRES_DSN."""


@app.command()
def simulate(
    out: Annotated[Path | None, typer.Argument(help="Folder to write to; default: the inbox. / 输出目录")] = None,
    hospitals: Annotated[int, typer.Option(min=1, help="Hospitals. / 医院数")] = 12,
    months: Annotated[int, typer.Option(min=1, help="Months. / 月数")] = 24,
    stays: Annotated[int, typer.Option(min=1, help="Inpatient stays, about 25 fee lines each. / 住院人次")] = 60_000,
    seed: Seed = 20260101,
) -> None:
    """Write a synthetic region in Chinese settlement layout, dirt included. / 生成合成地区数据."""
    from headwater.simulation import simulate as run

    with refusing(), bar("simulate 生成") as advance:
        run(out or home().deliveries, hospitals=hospitals, months=months, stays=stays, seed=seed, progress=advance)


@app.command()
def land(
    folder: Folder = None,
    source: Annotated[list[str] | None, typer.Option(help="Only these sources. / 只处理这些数据源")] = None,
    as_json: Json = False,
) -> None:
    """Land delivered files into raw tables; every row is loaded, quarantined or a duplicate. / 送报文件入库."""
    from headwater.steps.land import land as run

    with refusing():
        installation = home()
        report = run(installation, deliveries=folder or installation.deliveries, sources=source)
        if as_json:
            print_json(report.to_dict())
        else:
            _tell_landing(report)
        if report.refused or (report.references and report.references.refused):
            raise typer.Exit(1)


def _tell_landing(report: "LandReport") -> None:
    sums_of = ("in 入", "loaded 入库", "quarantined 隔离", "duplicate 重复")
    table = listing("source 来源", "table 表", "files 文件", *sums_of, numbers=5)
    for name, entity in sorted({(result.source_id, result.entity) for result in report.files}):
        mine = [result for result in report.files if (result.source_id, result.entity) == (name, entity)]
        counts = [result.counts for result in mine if result.counts]
        sums = [
            sum(getattr(count, field) for count in counts)
            for field in ("rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")
        ]
        table.add_row(shown(name), entity, str(len(mine)), *(f"{value:,}" for value in sums))
    if report.files:
        _out.print(table)
    for state, results in (("[red]refused 拒收[/]", report.refused), ("[yellow]held 待审批[/]", report.held)):
        for result in results:
            _out.print(state, shown(f"{result.file_name} · {result.entity}"), highlight=False)
            for text in (result.reason.zh, result.reason.en) if result.reason else ():
                _out.print(f"    {shown(text)}", highlight=False)
    if report.held:
        _out.print("查看与审批 see and decide: headwater deliveries", highlight=False)
    for name in report.unread:
        _out.print("[yellow]unread 未读[/]", shown(name), highlight=False)
    if report.unread:
        _out.print("    没有表读取这些文件：改为约定的文件名，或修改合同。", highlight=False)
        _out.print("    No table reads these files: name them as agreed, or mend the contract.", highlight=False)
    if report.references and (report.references.loaded or report.references.refused):
        reference.tell(report.references)
    _out.print(f"unchanged 未变 {report.unchanged} · {report.seconds:.1f} s")


@app.command()
def code(
    anew: Annotated[
        bool, typer.Option("--anew", help="Match again whatever no person has decided. / 全部重新匹配")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give local items their national codes; what is ambiguous waits for a person. / 统一编码."""
    from headwater.steps.code import code as run

    with refusing():
        report = run(home(), anew=anew)
    if as_json:
        print_json(report.to_dict())
    else:
        review.tell(report)


app.command()(warehouse.build)
for _command in (group.group, price.price, group.explain, group.near, price.what_if):
    app.command()(_command)


app.command()(warehouse.check)
app.command()(returns)
app.command()(compare)
app.command()(warehouse.publish)


for _command in (knowledge.value, plan, knowledge.aggregate, knowledge.evolve):
    app.command()(_command)
app.command()(withdraw)
app.command()(readmit)


@app.command()
def up() -> None:
    """Start Postgres, MLflow, Airflow and the console, and stay until Ctrl-C. / 启动全部组件."""
    from headwater.steps.up import up as run

    with refusing():
        run(home(), tell=_tell)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="Run on this folder of deliveries. / 使用此送报目录")] = None,
    remain: Annotated[bool, typer.Option(help="Stay up afterwards. / 结束后保持运行")] = True,
    as_json: Json = False,
) -> None:
    """Start everything, run the whole job once in Airflow, and stay up. / 演示整条主线."""
    from headwater.steps.demo import demo as run

    with refusing():
        report = run(home(), data=data, tell=_tell, watch=Watch(_err), remain=remain)
        if as_json:
            print_json(report.to_dict())


@app.command()
def component(
    name: Annotated[str, typer.Argument(help="api-server, scheduler, …, mlflow or migrate. / 组件名")],
) -> None:
    """Become one process of the stack, for containers and other supervisors. / 运行单个组件."""
    from headwater.steps.component import component as run

    with refusing():
        run(home(), name)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look for what is wrong with this installation, and say what mends it. / 检查安装."""
    from headwater.steps.doctor import doctor as run

    with refusing():
        findings = run(home())
    if as_json:
        print_json({"findings": [finding.to_dict() for finding in findings]})
    else:
        for finding in findings:
            _out.print(f"{_MARKS[finding.level]} [bold]{finding.name}[/]", highlight=False)
            for text in (finding.found, finding.remedy):
                if text.zh:
                    _out.print(f"    {text.zh}\n    {text.en}", markup=False, highlight=False)
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Which bench. / 基准名")],
    size: Annotated[BenchSize, typer.Option(help="ci or full. / 规模")] = BenchSize.ci,
    data: Annotated[Path | None, typer.Option(help="Folder of the real data sets. / 真实数据目录")] = None,
    as_json: Json = False,
) -> None:
    """Measure against the goals, with baselines in the same run. / 基准测试."""
    from headwater.bench import BENCHES

    with refusing():
        report = BENCHES[name](size.value, data=data)
    if not as_json:
        table = Table("figure", "value", "unit", "goal", "holds", "baseline")
        for key, figure in report["figures"].items():
            shown = "–" if figure["value"] is None else f"{figure['value']:.4g}"
            holds = "[green]yes[/]" if figure["holds"] else "[red]no[/]"
            table.add_row(key, shown, figure["unit"], figure["goal"], holds, json.dumps(figure["baseline"]))
        _err.print(table)
    print_json(report)


def _tell(message: Message) -> None:
    if message.zh != message.en:
        _err.print(message.zh, highlight=False, markup=False)
    _err.print(message.en, highlight=False, markup=False)


def main() -> None:
    """Run the command line."""
    app()
