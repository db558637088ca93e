"""``headwater returns``: the rows that each hospital must mend, in a workbook."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["returns"]

_out = Console()


def returns(
    source: Annotated[list[str] | None, typer.Option(help="Only these sources. / 只处理这些数据源")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the reports. / 输出目录")] = None,
    as_json: Json = False,
) -> None:
    """Write for every hospital a workbook of the rows that it must mend. / 退回医院待改的行."""
    from headwater.steps.returns import returns as run

    with refusing():
        report = run(home(), sources=source, out=out)
    if as_json:
        print_json(report.to_dict())
        return
    table = listing("source 来源", "workbook 工作簿", "open 待改", "closed 已结", numbers=2)
    for one in report.found:
        table.add_row(shown(one.source_id), shown(str(one.path or "–")), f"{one.open:,}", f"{one.closed:,}")
    _out.print(table)
