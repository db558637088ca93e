"""What every command does alike: it finds its installation, shows a refusal in both languages, prints for programs."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.adapters.home import Home

__all__ = ["Json", "Seed", "bar", "home", "print_json", "refusing"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. / 以 JSON 输出")]
Seed = Annotated[int, typer.Option(help="Seed of everything random. / 随机种子")]
_err = Console(stderr=True)


def home() -> "Home":
    """Return the installation that the environment names, created where it is not there yet."""
    from headwater.adapters.home import Home

    return Home.from_environment().create()


@contextmanager
def refusing() -> Iterator[None]:
    """Show a refusal as two sentences in both languages instead of a traceback."""
    try:
        yield
    except HeadwaterError as error:
        _err.print(f"[bold red]{error.code}[/]")
        _err.print(f"{error.reason.zh}{error.remedy.zh}", markup=False)
        _err.print(f"{error.reason.en} {error.remedy.en}", markup=False)
        raise typer.Exit(2) from None


def print_json(report: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(report, ensure_ascii=False, default=str) + "\n")


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows, on the error stream, how much of some work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err) as progress:
        job = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(job, completed=done, total=total)
