"""What was measured of the ways to value, as drawings and as sentences that say what they stand on."""

from collections.abc import Callable, Sequence
from itertools import groupby

from headwater.adapters import frontier
from headwater.adapters.features import Region
from headwater.adapters.frontier import Curve, Frontier, Page
from headwater.adapters.report import ORIGINS
from headwater.errors import Message
from headwater.steps.frontier_points import FAMILIES, Measured, Point
from headwater.steps.frontier_private import EPSILONS, Private

__all__ = ["page_of"]

_COSTS: tuple[tuple[str, Message, Callable[[Point], int]], ...] = (
    ("bytes", Message("单源交换字节", "bytes exchanged with a source"), lambda point: point.bytes),
    (
        "own",
        Message("可归属到单源的字节", "bytes that can be laid at a source's door"),
        lambda point: point.attributable,
    ),
)
_FEATURES = {
    "all": Message("全部特征", "all features"),
    "numbers": Message("仅数值列", "numbers only"),
}


def page_of(region: Region, task: str, measured: Sequence[Measured], hidden: Sequence[Private]) -> Page:
    """Return two drawings a model, one for each choice of features under privacy, and what they stand on."""
    origins = [ORIGINS[origin] for origin in region.origins]
    subtitle = Message(
        f"{region.name} · {task} · {'、'.join(origin.zh for origin in origins)}",
        f"{region.name} · {task} · {', '.join(origin.en for origin in origins)}",
    )
    drawings = [_by_cost(model, *cost) for model in measured for cost in _COSTS]
    drawings += [_by_epsilon(name, [cell for cell in hidden if cell.features == name]) for name in _FEATURES if hidden]
    return Page(
        Message("来源估值的前沿", "The frontier of valuing sources"),
        subtitle,
        drawings,
        _notes(region, measured, hidden),
    )


def _by_cost(model: Measured, name: str, cost: Message, of: Callable[[Point], int]) -> Frontier:
    looks = list(FAMILIES)
    lines = [
        Curve(
            FAMILIES[family],
            [frontier.Point(of(point), point.spearman, point.name) for point in points],
            looks.index(family),
        )
        for family, points in groupby(model.points, key=lambda point: point.family)
    ]
    title = Message(f"{model.title.zh}：{cost.zh}", f"{model.title.en}: {cost.en}")
    return Frontier(f"{model.name}_{name}", title, cost, lines, model.ceiling)


def _by_epsilon(features: str, cells: Sequence[Private]) -> Frontier:
    lines: list[Curve] = []
    for records, row in groupby(cells, key=lambda cell: cell.records):
        name = Message(f"每源至多 {records:,} 条", f"at most {records:,} records a source")
        points = [frontier.Point(cell.epsilon, cell.spearman, _at(name, cell.epsilon)) for cell in row]
        lines.append(Curve(name, points, len(lines)))
    title = Message(f"差分隐私：{_FEATURES[features].zh}", f"Differential privacy: {_FEATURES[features].en}")
    return Frontier(f"epsilon_{features}", title, Message("ε（δ = 1e-5）", "ε (δ = 1e-5)"), lines, ticks=EPSILONS)


def _at(name: Message, epsilon: float) -> Message:
    return Message(f"{name.zh}，ε {epsilon:g}", f"{name.en}, ε {epsilon:g}")


def _notes(region: Region, measured: Sequence[Measured], hidden: Sequence[Private]) -> list[Message]:
    first, count = measured[0], len(region.sources)
    notes = [
        Message(
            f"数据：{region.name}，湖快照 {region.data.snapshot}；{count} 个来源中取 {len(first.sources)} 个，"
            f"共 {first.records:,} 条记录（按各源占比抽取），评判记录每半 {first.judges:,} 条。",
            f"Data: {region.name}, lake snapshot {region.data.snapshot}; {len(first.sources)} of {count} sources, "
            f"{first.records:,} records of all together, drawn in proportion, and {first.judges:,} judging records in "
            "each half.",
        ),
        Message(
            "参照：模型在这些来源的每一个组合上重新训练，精确 Shapley 值。相关取两半评判记录与各次抽签的平均；"
            "虚线为两半参照值之间的相关，高于它的差别没有意义。记录更多时数值不同。",
            "Truth: exact Shapley values of the model retrained on every coalition of these sources. Correlations are "
            "means over both halves of the judging records and over draws; the dashed line is how well the two halves' "
            "truths agree, and above it a difference means nothing. With more records the figures are others.",
        ),
        Message(
            "字节为实际问答的字节。每次重训按模型的轮数计：每轮一问一答（实测）。“可归属”指能算到某一来源头上的回答字节；"
            "其余只在和数中可见。",
            "Bytes are those of the questions and answers themselves. A retraining counts the rounds of the model, one "
            "measured question and answer each. What can be laid at a source's door is its own answers; the rest is "
            "seen in sums alone.",
        ),
    ]
    if hidden:
        notes.append(
            Message(
                "差分隐私：对同一批记录不裁剪、全部特征的岭回归精确值；噪声由种子给出，可重现。",
                "Under privacy the truth is the exact values of ridge regression with all features on the same "
                "records, not clipped; the noise comes from the seed and can be drawn again.",
            )
        )
    notes.append(
        Message(
            "绘制此图用到手头的全部记录，没有花费隐私预算，因此它本身不是隐私发布：只给有权查看这些记录的人看。",
            "The drawing is made from records at hand and spends no privacy: it is no private release itself, and is "
            "for whoever may see the records.",
        )
    )
    return notes
