"""``headwater indicator``: indicators that are defined without code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from headwater.claims.indicators import FormulaRefusal
from headwater.cli.deliveries import whoami
from headwater.cli.shown import listing, shown
from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.adapters.indicators import Stored

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Indicators defined without code. / 自定义指标")
_out = Console()
_err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. / 以 JSON 输出")]
File = Annotated[Path, typer.Argument(help="YAML or JSON, one or more definitions. / 指标定义文件")]
_WIDEST = 100


@app.command()
def define(
    file: File,
    by: Annotated[str | None, typer.Option(help="Who defines it; default: you. / 定义人")] = None,
    as_json: Json = False,
) -> None:
    """Check definitions and store each as a version; the same again changes nothing. / 定义指标."""
    from headwater.content.indicators import read_indicators
    from headwater.steps.indicators import define as run

    with _errors():
        home = _home()
        stored = [run(home, one, by=by or whoami()) for one in read_indicators(file)]
    if as_json:
        _print_json({"indicators": [asdict(one) for one in stored]})
    else:
        _tell(stored)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the newest version of each indicator. / 列出指标."""
    from headwater.steps.indicators import listed

    with _errors():
        found = listed(_home())
    if as_json:
        _print_json({"indicators": [asdict(one) for one in found]})
    else:
        _tell(found)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Its name. / 指标名")], as_json: Json = False) -> None:
    """Show every version of an indicator. / 显示指标的各版本."""
    from headwater.steps.indicators import history

    with _errors():
        found = history(_home(), name)
    if as_json:
        _print_json({"versions": [asdict(one) for one in found]})
        return
    for one in found:
        said = {**asdict(one.indicator), "defined_by": one.defined_by, "defined_at": f"{one.defined_at:%Y-%m-%d %H:%M}"}
        for key, value in said.items():
            if value not in ("", None, ()):
                _out.print(f"[bold]{key}[/] {shown(', '.join(value) if isinstance(value, tuple) else str(value))}")
        _out.print()


@app.command()
def preview(
    file: File,
    months: Annotated[int, typer.Option(min=1, max=120, help="Newest months. / 最近几个月")] = 3,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Cells at most. / 最多行数")] = 20,
    as_json: Json = False,
) -> None:
    """Compute definitions over the newest months without storing anything. / 试算指标."""
    from headwater.content.indicators import read_indicators
    from headwater.steps.indicators import preview as run

    with _errors():
        home = _home()
        found = [(one, run(home, one, months=months, limit=limit)) for one in read_indicators(file)]
    if as_json:
        _print_json({"previews": [{"indicator": asdict(one), "cells": cells} for one, cells in found]})
        return
    for one, cells in found:
        _out.print(f"[bold]{shown(one.name)}[/] {shown(one.zh)} · {shown(one.en)}", highlight=False)
        table = listing(*one.grain, "stays 人次", f"{shown(one.unit)} 值", numbers=2)
        for cell in cells:
            value = "–" if cell["value"] is None else f"{cell['value']:,.4g}"
            table.add_row(*(shown(str(cell[name])) for name in one.grain), f"{cell['stays']:,}", value)
        _out.print(table)


@app.command()
def compute(as_json: Json = False) -> None:
    """Compute every indicator in force today, and who is beyond a threshold. / 计算全部指标."""
    from headwater.steps.indicators import compute as run

    with _errors():
        report = run(_home(), on=_today())
    if as_json:
        _print_json(report.to_dict())
    else:
        counts = (report.computed, report.values, report.unknown, report.alerts)
        table = listing("indicators 指标", "values 值", "unknown 未知", "alerts 预警", numbers=4)
        table.add_row(*(f"{count:,}" for count in counts))
        _out.print(table)
        for one in report.refused:
            _out.print(f"[red]refused 拒算[/] {shown(one.name)}: {shown(str(one.reason))}", highlight=False)
    if report.refused:
        raise typer.Exit(1)


def _tell(found: "list[Stored]") -> None:
    table = listing("name 指标", "formula 公式", "unit 单位", "version 版本", numbers=1)
    for one in found:
        said = one.indicator
        name = f"{said.name}\n[dim]{shown(said.zh)}[/]"
        formula = said.formula if len(said.formula) <= _WIDEST else f"{said.formula[:_WIDEST]}…"
        table.add_row(name, shown(formula), shown(said.unit), f"{said.version}")
    _out.print(table)


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


def _home() -> Any:
    from headwater.adapters.home import Home

    return Home.from_environment().create()


@contextmanager
def _errors() -> Iterator[None]:
    """Show a refusal in both languages, and below a formula the place of its fault, instead of a traceback."""
    try:
        yield
    except HeadwaterError as error:
        _err.print(f"[bold red]{error.code}[/]")
        if isinstance(error, FormulaRefusal):
            line = error.source.text.split("\n")[error.line - 1]
            _err.print(shown(line), highlight=False, soft_wrap=True)
            _err.print(" " * (error.column - 1) + "^" * max(1, len(error.piece.split("\n")[0])), soft_wrap=True)
        _err.print(f"{error.reason.zh}{error.remedy.zh}", markup=False)
        _err.print(f"{error.reason.en} {error.remedy.en}", markup=False)
        raise typer.Exit(2) from None


def _print_json(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report, ensure_ascii=False, default=str) + "\n")
