"""``headwater build``, ``check`` and ``publish``: the warehouse is made, judged, and shown to its readers."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.deliveries import whoami
from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.content.quality import QualityReport
    from headwater.steps.build import BuildReport

__all__ = ["build", "check", "publish"]

_out = Console()
_LISTED = 20
"""Unmet rules that are listed; the report holds all."""
_STATUSES = {
    "success": "built 已建",
    "pass": "tests hold 测试成立",
    "warn": "[yellow]warn 警告[/]",
    "skipped": "skipped 跳过",
    "error": "[red]failed 失败[/]",
    "fail": "[red]tests fail 测试不成立[/]",
}


def build(
    grouped: Annotated[
        bool, typer.Option("--grouped", help="Only what stands on groups. / 只建分组与支付的集市")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build staging, intermediate and marts with dbt. / 构建数仓."""
    from headwater.steps import build as step

    with refusing():
        report = step.build_grouped(home()) if grouped else step.build(home())
    if as_json:
        print_json(report.to_dict())
    else:
        _tell_build(report)


def _tell_build(report: "BuildReport") -> None:
    table = listing("mart 数据集市", "rows 行", numbers=1)
    for mart, rows in report.rows:
        table.add_row(mart, f"{rows:,}")
    _out.print(table)
    done = " · ".join(f"{_STATUSES.get(status, shown(status))} {count:,}" for status, count in report.statuses)
    _out.print(done, highlight=False)
    _out.print(f"snapshot 快照 {report.snapshot_id} · {report.seconds:.1f} s", highlight=False)


def check(as_json: Json = False) -> None:
    """Run the Great Expectations suites and render the quality report. / 质量检查并出报告."""
    from headwater.steps.check import check as run

    with refusing():
        place = home()
        report = run(place)
    if as_json:
        print_json(report.to_dict())
    else:
        _tell_check(report)
        for language in ("zh", "en"):
            _out.print(
                f"    {shown(str(place.reports / report.folder / language))}.html", highlight=False, soft_wrap=True
            )
    if not report.success:
        raise typer.Exit(1)


def _tell_check(report: "QualityReport") -> None:
    counts = report.to_dict()
    unmet = sorted(report.failures, key=lambda one: (not one.stops, one.suite))
    if unmet:
        table = listing("suite 规则集", "column 字段", "what must hold 规则", "unmet 不符", numbers=1)
        for one in unmet[:_LISTED]:
            mark = "[red]✗[/]" if one.stops else "[yellow]![/]"
            rule = f"{shown(one.why.en)}\n[dim]{shown(one.why.zh)}[/]"
            count = "–" if one.unexpected_count is None else f"{one.unexpected_count:,}"
            table.add_row(f"{mark} {shown(one.suite)}", shown(one.column or "–"), rule, count)
        _out.print(table)
        if len(unmet) > _LISTED:
            _out.print(f"[dim]… {len(unmet) - _LISTED} more, see the report 其余见报告[/]", highlight=False)
    verdict = "[green]passed 通过[/]" if report.success else "[red]not passed 未通过[/]"
    _out.print(f"{verdict} · snapshot 快照 {report.snapshot}", highlight=False)
    _out.print(
        f"rules 规则 {counts['expectations']:,} · suites 套 {counts['suites']:,} · "
        f"errors 错误 {counts['errors']:,} · warnings 警告 {counts['warnings']:,}",
        highlight=False,
    )


def publish(
    by: Annotated[str | None, typer.Option(help="Who publishes; default: you. / 发布人")] = None,
    as_json: Json = False,
) -> None:
    """Let readers see the snapshot that the newest check found good. / 发布检查通过的快照."""
    from headwater.steps.publish import publish as run

    with refusing():
        report = run(home(), by=by or whoami())
    if as_json:
        print_json(report.to_dict())
        return
    seen, before = report.publication, report.before
    if report.changed:
        zh = f"读者现在看到快照 {seen.snapshot_id}" + (f"（此前为 {before}）" if before is not None else "") + "。"
        en = f"Readers see snapshot {seen.snapshot_id} now" + (f", {before} before" if before is not None else "") + "."
    else:
        zh, en = (
            f"快照 {seen.snapshot_id} 早已发布，没有变化。",
            f"Snapshot {seen.snapshot_id} was published already; nothing changed.",
        )
    for line in (
        zh,
        en,
        f"check 检查 {seen.quality_run} · by 发布人 {seen.published_by} · {seen.published_at:%Y-%m-%d %H:%M %Z}",
    ):
        _out.print(shown(line), highlight=False)
