"""The commands that run the whole stack or look after it: up, demo, component, doctor."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headwater.adapters.chain import CHAIN, Progress
from headwater.adapters.home import Home
from headwater.errors import HeadwaterError, Message

__all__ = ["add_to", "component", "demo", "doctor", "picture", "up"]

_out = Console()
_err = Console(stderr=True)
_COLOURS = {
    "success": "green", "running": "cyan", "failed": "bold red", "up_for_retry": "yellow", "upstream_failed": "red",
    "skipped": "magenta",
}  # fmt: skip
_LEVELS = {"good": "[green]✔[/]", "warn": "[yellow]![/]", "bad": "[bold red]✘[/]"}


def add_to(app: typer.Typer) -> None:
    """Add the four commands to the command line."""
    for command in (up, demo, component, doctor):
        app.command()(command)


def up() -> None:
    """Start PostgreSQL, MLflow, Airflow and the console, and stay until Ctrl-C. / 启动全部服务."""
    from headwater.steps.up import up as run

    with _errors():
        run(Home.from_environment().create(), tell=_tell)


def demo(
    data: Annotated[Path | None, typer.Option(help="Folder of deliveries; default: the bundled region. / 送报目录")] = None,
    stop: Annotated[bool, typer.Option(help="Stop when the chain is done. / 完成后即停止")] = False,
) -> None:
    """Start everything, run the whole chain once in Airflow, and stay until Ctrl-C. / 演示全链."""
    from headwater.steps.demo import demo as run

    with _errors(), Live(console=_out, refresh_per_second=4, transient=True) as live:
        run(
            Home.from_environment().create(),
            data=data,
            tell=_tell,
            watch=lambda progress: live.update(picture(progress) if progress.running else Text()),
            remain=not stop,
        )


def component(name: Annotated[str, typer.Argument(help="migrate, mlflow, api-server, scheduler … / 组件名")]) -> None:
    """Run one component in the foreground, for containers and systemd. / 运行单个组件."""
    from headwater.steps.component import component as run

    with _errors():
        run(Home.from_environment().create(), name)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON. / 以 JSON 输出")] = False) -> None:
    """Check the installation and say how to mend what is wrong. / 检查安装."""
    from headwater.steps.doctor import doctor as run

    with _errors():
        findings = run(Home.from_environment().create())
    if as_json:
        sys.stdout.write(json.dumps([finding.to_dict() for finding in findings], ensure_ascii=False) + "\n")
    else:
        for finding in findings:
            _out.print(_LEVELS[finding.level], f"[bold]{finding.name}[/]", end=" ")
            _out.print(f"{finding.found.zh} / {finding.found.en}", markup=False, highlight=False)
            if finding.remedy.en:
                _out.print(f"    → {finding.remedy.zh} / {finding.remedy.en}", markup=False, highlight=False)
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


def picture(progress: Progress) -> Group:
    """Draw the chain and, below it, the tasks of the DAG that runs now."""
    line = Text()
    for name in CHAIN:
        done, now = name in progress.finished, name == progress.running
        mark, style = ("✔", "green") if done else ("▶", "bold cyan") if now else ("·", "dim")
        line.append(f" {mark} {name} ", style)
    table = Table(box=None, show_header=False, padding=(0, 2))
    for task in progress.tasks:
        table.add_row(Text(task.name), Text(task.state, _COLOURS.get(task.state, "dim")))
    return Group(line, table)


def _tell(message: Message) -> None:
    _out.print(message.zh if message.zh == message.en else f"{message.zh}  {message.en}", markup=False, highlight=False)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except HeadwaterError as error:
        _err.print(f"[bold red]{error.code}[/]")
        _err.print(f"{error.reason.zh}{error.remedy.zh}", markup=False)
        _err.print(f"{error.reason.en} {error.remedy.en}", markup=False)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
