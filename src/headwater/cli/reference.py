"""``headwater reference``: what a bureau knows of items and codes, each version from its day on."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.steps.reference import ReferenceReport

__all__ = ["app", "tell"]

app = typer.Typer(no_args_is_help=True, help="Dated reference tables. / 带生效日的参考表")
_out = Console()

_UNREAD = 5


@app.command()
def load(
    path: Annotated[Path, typer.Argument(help="A file, or a folder of files. / 文件或目录")],
    kind: Annotated[str | None, typer.Option(help="Kind; default: by layout or name. / 类别")] = None,
    valid_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day it holds; default: by layout or name. / 生效日"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Load what a bureau supplied as a dated version; the same again changes nothing. / 装入参考表."""
    from headwater.steps.reference import load as run

    with refusing():
        report = run(home(), path, kind=kind, valid_from=valid_from.date() if valid_from else None)
    if as_json:
        print_json(report.to_dict())
    else:
        tell(report)
    if report.refused:
        raise typer.Exit(1)


@app.command("list")
def list_versions(as_json: Json = False) -> None:
    """List every version by kind, the newest first. / 列出各版本."""
    from headwater.steps.reference import listed

    with refusing():
        found = listed(home())
    if as_json:
        print_json({"versions": [asdict(version) for version in found]})
        return
    table = listing("kind, file 类别、文件", "valid_from 生效日", "version 版本", "rows 行", numbers=1)
    for one in found:
        name = f"{one.kind}\n[dim]{shown(one.file_name)}[/]"
        table.add_row(name, f"{one.valid_from}", one.version, f"{one.rows:,}")
    _out.print(table)


def tell(report: "ReferenceReport") -> None:
    """Show what a loading did."""
    table = listing(
        *("file, kind 文件、类别", "state 状态", "in 入", "loaded 入库", "repeated 重复", "passed 略过"), numbers=4
    )
    for one in report.files:
        counts = (one.rows_in, one.rows, one.rows_repeated, one.rows_passed)
        state = f"[red]{one.state}[/]" if one.state == "refused" else one.state
        day = f" · {one.valid_from}" if one.valid_from else ""
        table.add_row(f"{shown(one.file_name)}\n[dim]{one.kind}{day}[/]", state, *(f"{count:,}" for count in counts))
    _out.print(table)
    for one in report.refused:
        _out.print("[red]refused 拒收[/]", shown(one.file_name), highlight=False)
        for text in (one.reason.zh, one.reason.en) if one.reason else ():
            _out.print(f"    {shown(text)}", highlight=False)
    for name in report.unread[:_UNREAD]:
        _out.print("[yellow]unread 未读[/]", shown(name), highlight=False)
    if len(report.unread) > _UNREAD:
        _out.print(f"[yellow]unread 未读[/] … {len(report.unread)}", highlight=False)
