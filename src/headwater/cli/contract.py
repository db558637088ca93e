"""``headwater contract``: draft a source's contract from its files, and check one against them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Draft and check source contracts. / 数据源合同：起草与检查")
_out = Console()
_err = Console(stderr=True)
_COLORS = {"error": "red", "warning": "yellow", "info": "dim"}


@app.command()
def propose(
    files: Annotated[list[Path], typer.Argument(help="Delivered files, or a folder of them. / 送报文件或目录")],
    source: Annotated[str | None, typer.Option(help="Name of the source; default: the folder's. / 数据源名称")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the draft here. / 草稿写入此文件")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217, e.g. CNY. / 币种")] = None,
    hospital: Annotated[str | None, typer.Option(help="The hospital's code. / 机构编号")] = None,
    as_json: Json = False,
) -> None:
    """Draft a contract from delivered files; what is unsure is marked and never guessed in silence. / 起草合同."""
    from headwater.claims.proposing import Source, source_name
    from headwater.steps.contract import propose as run

    with refusing():
        first = files[0].resolve()
        folder = first.parent.name if first.is_file() else first.name
        report = run(files, source=Source(source or source_name(folder), currency, hospital, folder=folder))
        if out is not None:
            _write(out, report.text)
    if as_json:
        print_json(report.to_dict())
        return
    _show(report.to_dict())
    if out is None:
        sys.stdout.write(report.text)
    else:
        _err.print(f"草稿 draft: {out}", markup=False, highlight=False)


@app.command()
def check(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Contract files or sources; default: all. / 合同或数据源")
    ] = None,
    deliveries: Annotated[
        Path | None, typer.Option(help="Folder of deliveries; default: the inbox. / 送报目录")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say everything that is wrong with contracts, by themselves and against their files. / 检查合同."""
    from headwater.adapters.home import Home
    from headwater.steps.contract import check as run

    with refusing():
        home = Home.from_environment()
        report = run(targets or [], project=home.project, deliveries=deliveries or home.deliveries)
    if as_json:
        print_json(report.to_dict())
    else:
        for finding in report.findings:
            color = _COLORS[finding.level]
            _out.print(f"[{color}]{finding.level}[/] {shown(finding.place)}", highlight=False)
            _out.print(f"    {shown(finding.text.zh)}\n    {shown(finding.text.en)}", highlight=False)
        _out.print(f"合同 contracts {report.contracts} · 错误 errors {report.errors}", highlight=False)
    if report.errors:
        raise typer.Exit(1)


def _show(report: dict[str, Any]) -> None:
    """Show every column with its field, confidence and runner-up; the draft itself goes to another stream."""
    for table in report["tables"]:
        lines = listing("column 列", "field 字段", "confidence 把握", "runner-up 其次", "decide 待定")
        lines.title = _title(table)
        for column in table["columns"]:
            rival = column["runner_up"]
            notes = "\n".join(f"{note['zh']}\n{note['en']}" for note in column["notes"])
            lines.add_row(
                shown(column["column"]),
                column["field"] or "–",
                f"{column['confidence']:.2f}" if column["field"] else "",
                f"{rival[0].removeprefix('+')} {rival[1]:.2f}" if rival else "",
                shown(notes) or ("?" if column["unsure"] else ""),
            )
        _err.print(lines)
    for note in report["notes"]:
        _err.print(f"{shown(note['zh'])}\n{shown(note['en'])}", highlight=False)


def _title(table: dict[str, Any]) -> str:
    missing = f" · 缺 missing {', '.join(table['missing'])}" if table["missing"] else ""
    return shown(f"{table['table']} ← {table['files']}{missing}")


def _write(out: Path, text: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
