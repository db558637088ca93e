"""A prediction's lineage on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from headwater.cli.shown import listing, shown

if TYPE_CHECKING:
    from headwater.steps.lineage import Lineage

__all__ = ["tell_lineage"]

_out = Console()


def tell_lineage(found: "Lineage") -> None:
    """Tell what a prediction rests on, but for its sources."""
    line, one = found.line, found.shown
    serves = "[green]serves 现役[/]" if line.version == found.champion else "[yellow]does not serve 非现役[/]"
    _out.print(f"[bold]{shown(found.stay_id)}[/] · {shown(one.region)} · {shown(one.task)}", highlight=False)
    billed = f" · billed 实际 {found.stay.cost:,.2f}" if found.stay else ""
    _out.print(f"predicted 预测 {one.cost:,.2f} {shown(line.currency or '')}{billed}", highlight=False)
    _out.print(f"version 版本 {shown(line.label)} · {line.step} · {serves}", highlight=False)
    quality, paid = found.quality, found.paid
    checked = f"{shown(quality.run_id)} · errors 错误 {quality.errors}" if quality else "no check 无检查"
    epsilon = f"{found.epsilon:.3f}" if found.epsilon else "–"
    _out.print(
        f"data 数据 snapshot 快照 {one.snapshot} (model 模型 {line.snapshot}) · ε {epsilon}\n"
        f"quality report 质量报告 {checked}\n"
        f"grouper 分组方案 {shown(f'{paid.plan} {paid.plan_version}' if paid.plan else '–')} · "
        f"policy 支付政策 {shown(f'{paid.policy} {paid.policy_version}' if paid.policy else '–')}\n"
        f"audit entries 审计条目 {' '.join(str(number) for number, _ in found.entries) or '–'}\n"
        f"goes on from 延续自 {shown(' ← '.join(parent.label for parent in found.parents) or '–')}",
        highlight=False,
        soft_wrap=True,
    )
    if found.withdrawn:
        _out.print(f"[red]withdrawn since 其后退出[/] {shown(' '.join(found.withdrawn))}", highlight=False)
    if found.drifts:
        table = listing("source 来源", "drift then 当时演化", "month 月份", "since 变化自")
        for drift in found.drifts:
            since = f"{drift.onset:%Y-%m}" if drift.onset else "–"
            table.add_row(
                shown(drift.source), f"{drift.state} · {drift.standing or drift.action}", f"{drift.month:%Y-%m}", since
            )
        _out.print(table)
