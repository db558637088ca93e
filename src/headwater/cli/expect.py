"""``headwater expect``: what is usual for each source, proposed and reviewed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.syntax import Syntax

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown
from headwater.content.bounds import Bound

__all__ = ["expect"]

expect = typer.Typer(no_args_is_help=True, help="What is usual for each source. / 各来源的常态")

_SHOWN = 60
_out = Console()


@expect.callback()
def _group() -> None:
    """Keep ``propose`` a command of its own though it is the only one."""


@expect.command()
def propose(
    source: Annotated[str | None, typer.Option(help="Only this source. / 只处理该来源")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this table. / 只处理该表")] = None,
    since: Annotated[str | None, typer.Option(help="YYYY-MM: the new usual begins here. / 新常态起始月份")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the suites. / 规则集目录")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Write them; without it they are shown. / 写入")] = False,
    as_json: Json = False,
) -> None:
    """Propose bounds from accepted deliveries and show what they change. / 由历史送报推出常态界限."""
    from headwater.steps.expect import propose as run

    with refusing():
        made = run(home(), only=(source, entity), since=since, out=out, accept=accept)
    if as_json:
        print_json(made.to_dict())
        return
    if made.difference and source is not None:
        _out.print(Syntax(made.difference, "diff", word_wrap=True))
    table = listing("suite 规则集", "column 列", "metric 指标", "old 旧", "new 新", numbers=2)
    for change in made.changes[:_SHOWN]:
        table.add_row(shown(change.suite), change.column, change.metric, _span(change.old), _span(change.new))
    _out.print(table)
    if len(made.changes) > _SHOWN:
        _out.print(f"… {len(made.changes) - _SHOWN} more; choose a source to see all. / 另有更多，指定来源可全部查看。")
    for name, entry in made.to_dict().items():
        _out.print(f"[bold]{name}[/]", entry, highlight=False)


def _span(bound: Bound | None) -> str:
    if bound is None:
        return "–"
    low, high = ("" if limit is None else f"{limit:g}" for limit in (bound.low, bound.high))
    return f"{low} … {high}"
