"""What every command does alike: it finds its installation, shows a refusal in both languages, prints for programs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.adapters.home import Home

__all__ = ["Json", "home", "print_json", "refusing"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. / 以 JSON 输出")]
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
