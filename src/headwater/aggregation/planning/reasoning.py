"""How statistics climb and why they do so, in words of each language."""

from collections import Counter
from collections.abc import Mapping, Sequence

from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.foresight import Job
from headwater.aggregation.planning.routes import Route, objection
from headwater.errors import Message
from headwater.security.requirement import Requirement
from headwater.types import SourceId

__all__ = [
    "COHORT",
    "NO_COMPANY",
    "NO_ROOM",
    "TOO_FEW",
    "against",
    "because",
    "climb",
    "counted",
    "leaving",
    "sentence",
    "strand_named",
]

COHORT = "cohort"
"""The kind of a strand that is one cohort's sum."""

NO_COMPANY = Message(
    "不能汇聚；所允许的方式都需要更多同伴。", "Cannot join: whatever it permits takes more companions."
)
"""Why a source that permits something is refused."""

NO_ROOM = Message(
    "不能汇聚；其噪声或合计超出定点数的范围。",
    "Cannot join: its noise, or the sum, is beyond the numbers of the grid.",
)
"""The same, where it has companions."""

TOO_FEW = Message("所允许的其他方式都需要更多同伴", "whatever else it permits takes more companions")
"""Why a source that permits a way without noise takes none."""

_TRAVEL: Mapping[str, Message] = {
    "clear": Message("明文", "in clear"),
    "masked": Message("掩码", "under masks"),
    "ckks": Message("加密", "encrypted"),
}
_NOISE: Mapping[str, Message] = {
    "exact": Message("不加噪", "without noise"),
    "local": Message("来源自行加噪", "with noise of its own"),
    "shared": Message("同层来源分摊噪声", "with noise shared in its tier"),
    "pooled": Message("全区域分摊一份噪声", "with noise shared once in the region"),
    "central": Message("由其层级加噪", "with noise of its tier's"),
}

_ADDED: Mapping[str, Message] = {
    "nobody": Message("", ""),
    "sender": Message("，发送方加噪", ", noise of the sender"),
    "group": Message("，分摊噪声", ", shared noise"),
}


def leaving(mechanism: Mechanism) -> Message:
    """Return how a message leaves its sender.

    >>> leaving(Mechanism("masked", "group", 1.0, 1e-6)).en
    'under masks, shared noise (ε 1, δ 1e-06)'
    """
    travel, added = _travel(mechanism.protection), _ADDED[mechanism.noise]
    cost = "" if mechanism.noise == "nobody" else f" (ε {mechanism.epsilon:g}, δ {mechanism.delta:g})"
    return Message(f"{travel.zh}{added.zh}{cost}", f"{travel.en}{added.en}{cost}")


def strand_named(strand: str) -> Message:
    """Return what the name of a plan's strand means.

    >>> strand_named("pooled 0.5 1e-07 masked").en, strand_named("exact clear").en
    ('with noise shared once in the region (ε 0.5, δ 1e-07), under masks', 'without noise, in clear')
    >>> strand_named("cohort 003 masked").en
    'cohort 003, under masks'
    """
    kind, *claim, protection = strand.split()
    travel = _travel(protection)
    if kind == COHORT:
        return Message(f"第 {claim[0]} 组之和，{travel.zh}", f"cohort {claim[0]}, {travel.en}")
    noise = _NOISE[kind]
    cost = f" (ε {claim[0]}, δ {claim[1]})" if claim else ""
    return Message(f"{noise.zh}{cost}，{travel.zh}", f"{noise.en}{cost}, {travel.en}")


def climb(route: Route, tier: str, region: str) -> Message:
    """Return how a source climbs.

    >>> from headwater.aggregation.mechanism import Mechanism
    >>> climb(Route(Mechanism("masked"), Mechanism("clear")), "north", "east").en
    'under masks to north, in clear to east, without noise'
    """
    steps = [(route.source, tier if route.tier else region), *([(route.tier, region)] if route.tier else [])]
    travels = [(_travel(one.protection), to) for one, to in steps]
    noise, claim = _NOISE[route.kind], route.claim
    cost = f" (ε {claim.epsilon:g}, δ {claim.delta:g})" if claim else ""
    zh = "，".join(f"{travel.zh}送至 {to}" for travel, to in travels)
    en = ", ".join(f"{travel.en} to {to}" for travel, to in travels)
    return Message(f"{zh}，{noise.zh}{cost}", f"{en}, {noise.en}{cost}")


def because(how: Message, why: Message | None) -> Message:
    """Return how, and why not otherwise."""
    if why is None:
        return Message(f"{how.zh}。", f"{how.en}.")
    return Message(f"{how.zh}；{why.zh}。", f"{how.en}: {why.en}.")


def sentence(why: Message) -> Message:
    """Return part of a sentence as a whole one.

    >>> sentence(Message("不许", "it says no")).en
    'It says no.'
    """
    return Message(f"{why.zh}。", f"{why.en[0].upper()}{why.en[1:]}.")


def counted(refused: Mapping[SourceId, Message]) -> Message:
    """Return how many sources are refused for which reason, those of most first; nothing where nobody is."""
    counts = Counter(refused.values()).most_common()
    return Message(
        "".join(f"{count} 个来源：{why.zh}" for why, count in counts),
        " ".join(f"{count} sources: {why.en}" for why, count in counts),
    )


def against(ways: Sequence[Route], requirement: Requirement, source: SourceId, job: Job) -> Message:
    """Return what a requirement has against the last of some ways; too few companions where it permits any of them."""
    why = TOO_FEW
    for way in ways:
        refusal = objection(way, requirement, source, job.purpose, alone=False)
        if refusal is None:
            return TOO_FEW
        why = refusal.why
    return why


def _travel(protection: str) -> Message:
    return _TRAVEL.get(protection, Message(protection, protection))
