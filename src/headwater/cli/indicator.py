"""``headwater indicator``: indicators that are defined without code."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from headwater.claims.indicators import FormulaRefusal
from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.deliveries import whoami
from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.adapters.indicators import Stored

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Indicators defined without code. / 自定义指标")
_out = Console()
_err = Console(stderr=True)

File = Annotated[Path, typer.Argument(help="YAML or JSON, one or more definitions. / 指标定义文件")]
Name = Annotated[str, typer.Argument(help="Its name. / 指标名")]
By = Annotated[str | None, typer.Option(help="Who does it; default: you. / 经办人")]
Most = Annotated[int, typer.Option(min=1, max=1000, help="Cells at most. / 最多行数")]
_WIDEST = 100


@app.command()
def define(file: File, by: By = None, as_json: Json = False) -> None:
    """Check definitions and store each as a version, or none; the same again changes nothing. / 定义指标."""
    from headwater.content.indicators import read_indicators
    from headwater.steps.indicators import define as run

    with _errors():
        stored = run(home(), *read_indicators(file), by=by or whoami())
    if as_json:
        print_json({"indicators": [asdict(one) for one in stored]})
    else:
        _tell(stored)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the newest version of each indicator that is not retired. / 列出指标."""
    from headwater.steps.indicators import listed

    with _errors():
        found = listed(home())
    if as_json:
        print_json({"indicators": [asdict(one) for one in found]})
    else:
        _tell(found)


@app.command()
def history(name: Name, as_json: Json = False) -> None:
    """Tell every version of an indicator: who defined it, from when it holds, who retired it. / 指标的版本与停用."""
    from headwater.steps.indicators import history as run

    with _errors():
        found = run(home(), name)
    if as_json:
        print_json({"versions": [asdict(one) for one in found]})
        return
    table = listing("version 版本", "holds from 生效", "formula 公式", "defined 定义", "retired 停用")
    for one in found:
        said, ended = one.indicator, one.retirement
        gone = f"{ended.retired_at:%Y-%m-%d}\n{shown(ended.retired_by)}\n[dim]{shown(ended.why)}[/]" if ended else ""
        since = "–" if said.valid_from == date.min else said.valid_from.isoformat()
        made = f"{one.defined_at:%Y-%m-%d}\n{shown(one.defined_by)}"
        table.add_row(f"{said.version}", since, shown(_short(said.formula)), made, gone)
    _out.print(table)


@app.command()
def show(name: Name, limit: Most = 20, as_json: Json = False) -> None:
    """Show what an indicator says of itself, and the values that were computed last. / 显示指标及最近的值."""
    from headwater.steps.indicators import history as run
    from headwater.steps.indicators import values

    with _errors():
        (newest, *_), cells = run(home(), name), values(home(), name, limit=limit)
    if as_json:
        print_json({"indicator": asdict(newest), "cells": cells})
        return
    for key, value in {**asdict(newest.indicator), "defined_by": newest.defined_by}.items():
        if value not in ("", None, ()):
            _out.print(f"[bold]{key}[/] {shown(', '.join(value) if isinstance(value, tuple) else str(value))}")
    if newest.retirement:
        _out.print(f"[red]retired 已停用[/] {shown(newest.retirement.why)}")
    _tell_cells(newest.indicator.grain, newest.indicator.unit, cells)


@app.command()
def retire(
    name: Name,
    why: Annotated[str, typer.Option(help="The reason. / 理由")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Compute an indicator no more; its versions stay in its history. / 停用指标."""
    from headwater.steps.indicators import retire as run

    with _errors():
        done = run(home(), name, signed=(by or whoami(), why))
    if as_json:
        print_json({"retired": asdict(done)})
    else:
        _out.print(f"[bold]{shown(name)}[/] 已停用，历史保留。 retired; its history stays.", highlight=False)


@app.command()
def preview(
    file: File,
    months: Annotated[int, typer.Option(min=1, max=120, help="Newest months. / 最近几个月")] = 3,
    limit: Most = 20,
    as_json: Json = False,
) -> None:
    """Compute definitions over the newest months without storing anything. / 试算指标."""
    from headwater.content.indicators import read_indicators
    from headwater.steps.indicators import preview as run

    with _errors():
        defined = read_indicators(file)
        found = list(zip(defined, run(home(), *defined, months=months, limit=limit), strict=True))
    if as_json:
        print_json({"previews": [{"indicator": asdict(one), "cells": cells} for one, cells in found]})
        return
    for one, cells in found:
        _out.print(f"[bold]{shown(one.name)}[/] {shown(one.zh)} · {shown(one.en)}", highlight=False)
        _tell_cells(one.grain, one.unit, cells)


@app.command()
def compute(as_json: Json = False) -> None:
    """Compute every indicator in force today, and who is beyond a threshold. / 计算全部指标."""
    from headwater.steps.indicators import compute as run

    with _errors():
        report = run(home(), on=_today())
    if as_json:
        print_json(report.to_dict())
    else:
        counts = (report.computed, report.values, report.unknown, report.withheld, report.alerts)
        table = listing(
            "indicators 指标", "values 值", "unknown 未知", "withheld 隐去", "alerts 预警", numbers=len(counts)
        )
        table.add_row(*(f"{count:,}" for count in counts))
        _out.print(table)
        for one in report.refused:
            _out.print(f"[red]refused 拒算[/] {shown(one.name)}: {shown(str(one.reason))}", highlight=False)
    if report.refused:
        raise typer.Exit(1)


def _tell(found: "Sequence[Stored]") -> None:
    table = listing("name 指标", "formula 公式", "unit 单位", "version 版本", numbers=1)
    for one in found:
        said = one.indicator
        name = f"{said.name}\n[dim]{shown(said.zh)}[/]"
        table.add_row(name, shown(_short(said.formula)), shown(said.unit), f"{said.version}")
    _out.print(table)


def _tell_cells(grain: Sequence[str], unit: str, cells: Sequence[Mapping[str, Any]]) -> None:
    """Tell cells; one that is withheld says so and why, and has no number."""
    from headwater.claims.comparing import WITHHELD

    table = listing(*grain, "version 版本", "stays 人次", f"{shown(unit)} 值", numbers=3)
    for cell in cells:
        if cell["withheld"]:
            why = WITHHELD[cell["withheld"]]
            numbers = ["–", f"[dim]{why.zh}\n{why.en}[/]"]
        else:
            numbers = [f"{cell['stays']:,}", "–" if cell["value"] is None else f"{cell['value']:,.4g}"]
        table.add_row(*(shown(str(cell[name])) for name in grain), f"{cell['version'] or '–'}", *numbers)
    _out.print(table)


def _short(formula: str) -> str:
    return formula if len(formula) <= _WIDEST else f"{formula[:_WIDEST]}…"


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


@contextmanager
def _errors() -> Iterator[None]:
    """Show a refusal in both languages, and above it the place of a formula's fault, instead of a traceback."""
    with refusing():
        try:
            yield
        except FormulaRefusal as error:
            line = error.source.text.split("\n")[error.line - 1]
            _err.print(shown(line), highlight=False, soft_wrap=True)
            _err.print(" " * (error.column - 1) + "^" * max(1, len(error.piece.split("\n")[0])), soft_wrap=True)
            raise
