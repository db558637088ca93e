"""``headwater value --frontier``: accuracy against bytes and against ε, as tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from headwater.cli.shown import listing, shown
from headwater.cli.told import head, left_out

if TYPE_CHECKING:
    from headwater.steps.frontier import FrontierReport
    from headwater.steps.frontier_private import Private

__all__ = ["tell_frontier"]

_out = Console()


def tell_frontier(report: "FrontierReport") -> None:
    """Print the frontier of one region."""
    head(report.region, report.task, report.origins)
    for model in report.models:
        _out.print(
            f"[bold]{shown(model.title.en)} {shown(model.title.zh)}[/] · ceiling 上限 {model.ceiling:.3f}",
            highlight=False,
        )
        table = listing("way 做法", "bytes 字节", "own 可归属", "trained 训练", "agrees 一致", "worst 最差", numbers=5)
        for point in model.points:
            numbers = (f"{point.bytes:,}", f"{point.attributable:,}", f"{point.trainings:,}")
            name = f"{shown(point.name.en)}\n[dim]{shown(point.name.zh)}[/]"
            table.add_row(name, *numbers, f"{point.spearman:.3f}", f"{point.worst:.3f}")
        _out.print(table)
        left_out(model.refused)
    if report.private:
        _tell_private(report.private)
    for note in report.notes:
        _out.print(f"{shown(note.zh)}\n[dim]{shown(note.en)}[/]", highlight=False)
    _out.print(f"{report.seconds:.0f} s", highlight=False)
    for file in report.files:
        _out.print(f"    {shown(str(file))}", highlight=False, soft_wrap=True)


def _tell_private(cells: "Iterable[Private]") -> None:
    found = {(cell.features, cell.records, cell.epsilon): cell.spearman for cell in cells}
    epsilons = sorted({epsilon for _, _, epsilon in found})
    headings = (f"ε {epsilon:g}" for epsilon in epsilons)
    table = listing("features 特征", "records 每源记录", *headings, numbers=1 + len(epsilons))
    for features, records in dict.fromkeys((features, records) for features, records, _ in sorted(found)):
        agrees = (f"{found[features, records, epsilon]:.3f}" for epsilon in epsilons)
        table.add_row(_FEATURES[features], f"{records:,}", *agrees)
    _out.print("[bold]differential privacy 差分隐私[/] · δ = 1e-5", highlight=False)
    _out.print(table)


_FEATURES = {"all": "all 全部", "numbers": "numbers only 仅数值"}
