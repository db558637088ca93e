"""What reports of knowledge begin with, whom they name as left out, and what sums said of their members."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from headwater.cli.shown import listing, shown
from headwater.errors import HeadwaterError, Message
from headwater.types import SourceId

if TYPE_CHECKING:
    from headwater.aggregation.robust import Judgement

__all__ = ["MODELS", "NAMED", "head", "left_out", "tell_judgement"]

NAMED = 12
"""How many are named; the count tells of the others."""

MODELS = {
    "ours": "this model 本模型",
    "target_only": "bureau alone 仅医保局",
    "all_equal": "all alike 各源等权",
    "pooled": "pooled 合并原始数据",
    "evolving": "evolving 演化模型",
    "static": "never changed 不变模型",
    "selected": "chosen 选用",
    "all": "all 全部",
}

_out = Console()


def head(region: str, task: str, origins: Iterable[str]) -> None:
    """Tell of which region, for which task, from what kind of data."""
    _out.print(f"[bold]{shown(region)}[/] · {shown(task)} · {shown(' '.join(origins))}", highlight=False)


def left_out(refused: Mapping[SourceId, Message | HeadwaterError], small: Mapping[str, int] | None = None) -> None:
    """Tell whom a run went on without and why, and who had too few stays."""
    for source, why in refused.items():
        _out.print(f"[red]refused 未采用[/] {shown(source)}", highlight=False)
        for text in (why,) if isinstance(why, Message) else (why.reason, why.remedy):
            _out.print(f"    {shown(text.zh)}\n    [dim]{shown(text.en)}[/]", highlight=False)
    if small:
        named = " ".join(f"{shown(source)} {stays}" for source, stays in list(small.items())[:NAMED])
        _out.print(f"too few stays 人次过少 {len(small)}: {named}{' …' * (len(small) > NAMED)}", highlight=False)


def tell_judgement(judgement: "Judgement") -> None:
    """Tell who stands out in the sums of cohorts, and on what evidence; the sentences on who is left out come after."""
    found = {
        "[red]left out 已排除[/]": judgement.excluded,
        "[yellow]left out, not named 未并入、不点名[/]": judgement.undecided,
        "kept 予以保留": judgement.suspected,
    }
    _out.print(
        f"judged 评判 {len(judgement.cohorts)} sums 个和数 · leverage 杠杆 {judgement.leverage:.2f} · "
        f"harm 危害 {judgement.harm:.3f} · against 评判记录 {judgement.against:+.1f}",
        highlight=False,
    )
    if any(found.values()):
        table = listing("source 来源", "judgement 结论", "sure 概率", "shift 偏移 σ", "sums 和数", numbers=3)
        for told, sources in found.items():
            for source, one in sources.items():
                numbers = (
                    f"{one.probability:.3f}",
                    f"{one.shift:.2f}",
                    " ".join(str(place + 1) for place in one.cohorts),
                )
                table.add_row(shown(source), told, *numbers)
        _out.print(table)
    for source, one in judgement.suspected.items():
        _out.print(f"{shown(source)} {shown(one.told.zh)}\n  [dim]{shown(one.told.en)}[/]", highlight=False)
    for note in judgement.notes:
        _out.print(f"[yellow]![/] {shown(note.zh)}\n  {shown(note.en)}", highlight=False)
