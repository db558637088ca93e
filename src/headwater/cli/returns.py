"""``headwater returns``: the rows that each hospital must mend, in a workbook."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.shown import listing, shown
from headwater.errors import HeadwaterError

__all__ = ["returns"]

_out = Console()
_err = Console(stderr=True)


def returns(
    source: Annotated[list[str] | None, typer.Option(help="Only these sources. / 只处理这些数据源")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the reports. / 输出目录")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object. / 以 JSON 输出")] = False,
) -> None:
    """Write for every hospital a workbook of the rows that it must mend. / 退回医院待改的行."""
    from headwater.adapters.home import Home
    from headwater.steps.returns import returns as run

    try:
        report = run(Home.from_environment(), sources=source, out=out)
    except HeadwaterError as error:
        _err.print(f"[bold red]{error.code}[/]")
        _err.print(f"{error.reason.zh}{error.remedy.zh}", markup=False)
        _err.print(f"{error.reason.en} {error.remedy.en}", markup=False)
        raise typer.Exit(2) from None
    if as_json:
        sys.stdout.write(json.dumps(report.to_dict(), ensure_ascii=False) + "\n")
        return
    table = listing("source 来源", "workbook 工作簿", "open 待改", "closed 已结", numbers=2)
    for one in report.found:
        table.add_row(shown(one.source_id), shown(str(one.path or "–")), f"{one.open:,}", f"{one.closed:,}")
    _out.print(table)
