"""``headwater audit``: the log of what was put in force and released, verified, exported and proved."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.security.audit import Head

__all__ = ["app"]

app = typer.Typer(help="The audit log: who put what in force, and what was released. / 审计日志", no_args_is_help=True)
_out = Console()

_KEPT = typer.Option("--head", exists=True, dir_okay=False, help="A head that was kept elsewhere. / 另行保存的日志头")
Kept = Annotated[Path | None, _KEPT]


@app.command()
def show(
    limit: Annotated[int, typer.Option(min=1, help="How many at most. / 最多列出")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest entries. / 列出最新条目."""
    from headwater.steps.audit import newest

    with refusing():
        found = newest(home(), limit=limit)
    if as_json:
        rows = [
            {"number": one.number, "at": one.at, "kind": one.kind, **{"body": json.loads(one.body)}} for one in found
        ]
        print_json({"entries": rows})
        return
    table = listing("no. 序号", "when 时间", "what 事项", "told 内容")
    for one in found:
        told = "\n".join(f"{name}: {value}" for name, value in json.loads(one.body).items() if value is not None)
        table.add_row(str(one.number), f"{one.at:%Y-%m-%d %H:%M:%S}", one.kind, shown(told))
    _out.print(table)


@app.command()
def verify(kept: Kept = None, as_json: Json = False) -> None:
    """Compute every hash again; ends with 1 where something was changed. / 校验整个日志，被改动时以 1 退出."""
    from headwater.steps.audit import verify as run

    with refusing():
        report = run(home(), kept=_read(kept))
    if as_json:
        print_json(report.to_dict())
    elif report.fault is None:
        _out.print(
            f"[green]✓[/] {report.size:,} 条，均与签名一致。\n  {report.size:,} entries, all as they were signed."
        )
        if kept is None:
            _out.print("[dim]尾部是否被截去，只有另存的日志头能证明：--head[/]")
            _out.print("[dim]Only a head that was kept elsewhere shows a cut end: --head[/]")
    else:
        _out.print(f"[red]✗[/] {report.fault.zh}\n  {report.fault.en}", highlight=False)
    raise typer.Exit(0 if report.fault is None else 1)


@app.command()
def head(
    out: Annotated[Path | None, typer.Option(help="File to write; default: the terminal. / 输出文件")] = None,
) -> None:
    """Export the signed head; keep it where the log cannot be written. / 导出已签名的日志头，另行保存."""
    from headwater.steps.audit import head as run
    from headwater.steps.audit import write_head

    with refusing():
        text = write_head(run(home()))
    if out is None:
        _out.print(text, end="", highlight=False, soft_wrap=True)
    else:
        out.write_text(text, encoding="utf-8")


@app.command()
def prove(
    number: Annotated[int, typer.Argument(help="Number of the entry. / 序号")],
    out: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder for NUMBER.entry and NUMBER.proof. / 输出目录")
    ] = Path(),
) -> None:
    """Write one entry and its proof of less than 1 KB, for whoever has no access to the log. / 导出一条及其证明."""
    from headwater.steps.audit import prove as run

    with refusing():
        proof, entry = run(home(), number)
    for name, content in ((f"{number}.entry", entry), (f"{number}.proof", proof.to_bytes())):
        (out / name).write_bytes(content)
        _out.print(f"{shown(str(out / name))}  {len(content):,} B", highlight=False)


@app.command()
def check(
    entry: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="NUMBER.entry / 条目文件")],
    proof: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="NUMBER.proof / 证明文件")],
    kept: Kept = None,
) -> None:
    """Check an entry against its proof, without the log; ends with 1 where it fails. / 离线核验一条."""
    from headwater.steps.audit import checked

    with refusing():
        holds = checked(proof.read_bytes(), entry.read_bytes(), kept=_read(kept))
    _out.print("[green]✓[/] 成立 · holds" if holds else "[red]✗[/] 不成立 · does not hold")
    raise typer.Exit(0 if holds else 1)


def _read(file: Path | None) -> "Head | None":
    from headwater.steps.audit import read_head

    return None if file is None else read_head(file.read_text(encoding="utf-8", errors="replace"))
