"""What every report of knowledge begins with, and whom each names as left out."""

from collections.abc import Iterable, Mapping

from rich.console import Console

from headwater.cli.shown import shown
from headwater.errors import HeadwaterError, Message
from headwater.types import SourceId

__all__ = ["MODELS", "NAMED", "head", "left_out"]

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
