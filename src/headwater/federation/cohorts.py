r"""Sums of cohorts of sources, and one number back from each: nothing else that can be laid at one source's door.

The leverage of what was revealed, see ``division``, is kept over the object's life, and a request that would lift any
source's above the limit is refused before anybody is asked. ``recorded`` keeps it for longer.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.division import FLOOR, LIMIT, leverage, named_cohorts, require_hiding
from headwater.federation.round import carried, naming, reached
from headwater.federation.source import Computed, GramQuestion
from headwater.federation.transport import Transport
from headwater.federation.wire import asks
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed, Masks, SourceId, Vector

__all__ = ["CohortSums", "Hiding"]

_FEWEST_RECORDS = 2
_SCALAR_BYTES = 4


class Summed(Computed, Protocol):
    """A question whose answers are added up."""

    @property
    def family(self) -> Gram:
        """The family that solves the sum."""
        ...


class HidingMember(Protocol):
    """One member's side of a sum, as in ``security.Member``."""

    def answer(self, told: bytes, values: Callable[[], Fixed]) -> bytes:
        """Return the answer to what the server tells; the vector is asked for in one of the phases."""
        ...


class HidingServer(Protocol):
    """The side that adds, as in ``security.Server``."""

    @property
    def total(self) -> Fixed | None:
        """The sum, once there is one."""
        ...

    def told(self) -> dict[str, bytes]:
        """Return what each member must be told in this phase."""
        ...

    def take(self, sender: str, message: bytes) -> None:
        """Keep an answer."""
        ...

    def close(self) -> None:
        """End the phase."""
        ...


class HidingSession(Protocol):
    """Both sides of one sum."""

    @property
    def server(self) -> HidingServer:
        """The side that adds."""
        ...

    @property
    def members(self) -> Mapping[str, HidingMember]:
        """The others."""
        ...


class Hiding(Protocol):
    """A way to add vectors unseen: the shape of ``security.Protection``, handed in as a value."""

    @property
    def reveals(self) -> Literal["each", "sum"]:
        """What whoever adds learns."""
        ...

    def open(
        self, group: Iterable[str], *, round_id: str, length: int, entropy: Callable[[int], bytes]
    ) -> HidingSession:
        """Return both sides of a new sum."""
        ...


@asks("ready")
@dataclass(frozen=True, eq=False)
class Ready:
    """Ask whether a source could answer, so that no sum fails for want of one member; nothing comes back but yes.

    Parameters
    ----------
    counted : the number of records comes back too
    """

    question: GramQuestion
    counted: bool = False

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.question.months

    @property
    def nbytes(self) -> int:
        """Bytes of the question."""
        return self.question.nbytes

    def of(self, table: pa.Table) -> Statistic:
        """Return an empty statistic or the number of records, or refuse."""
        statistic = self.question.of(table)
        self.question.family.check(statistic)
        records = self.question.family.records(statistic)
        if records < _FEWEST_RECORDS:
            raise _too_few_records()
        return Statistic("ready", (), np.array([records] if self.counted else [], dtype=np.uint64))


@dataclass(frozen=True, eq=False)
class Share:
    """Ask for a statistic under a protection, phase by phase.

    In one process the question carries the member; a node of its own makes its member itself, and keeps the question
    after the first phase.
    """

    question: Summed
    member: HidingMember
    told: bytes
    is_first: bool

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.question.months

    @property
    def nbytes(self) -> int:
        """Bytes of what the member is told, and at first of the question."""
        return self.question.nbytes * self.is_first + len(self.told)

    def of(self, table: pa.Table) -> Statistic:
        """Return the member's answer, its bytes as integers and their number as the shape."""
        message = self.member.answer(self.told, lambda: self.question.of(table).values)
        padded = message + bytes(-len(message) % 8)
        return Statistic("share", (len(message),), np.frombuffer(padded, dtype=np.uint64).copy())


@dataclass(eq=False)
class CohortSums:
    """Reveals sums of cohorts, and remembers what it revealed.

    Parameters
    ----------
    transport : reaches the sources
    question : what sources must be able to answer; it is summed unless ``summed`` is given
    protection : how sums are hidden while they are added; None adds in this process, which is no protection
    floor : fewest members of a cohort, and fewest sources outside it; not below ``FLOOR``
    limit : largest leverage of any source over all that this object reveals; not above ``LIMIT``
    entropy : of the members' keys
    summed : what is summed in the question's place, e.g. with noise; one object sums one thing
    recorded : told the members of each cohort before anybody is asked for their sums; may refuse
    """

    transport: Transport
    question: GramQuestion
    protection: Hiding | None = None
    floor: int = FLOOR
    limit: float = LIMIT
    entropy: Callable[[int], bytes] = secrets.token_bytes
    summed: Summed | None = None
    recorded: Callable[[tuple[tuple[SourceId, ...], ...]], None] | None = None
    sources: tuple[SourceId, ...] = field(init=False)
    refused: dict[SourceId, HeadwaterError] = field(init=False, default_factory=dict)
    asked: dict[SourceId, int] = field(init=False, default_factory=dict)
    answered: dict[SourceId, int] = field(init=False, default_factory=dict)
    attributable: dict[SourceId, int] = field(init=False, default_factory=dict)
    rounds: int = field(init=False, default=0)
    revealed: Masks = field(init=False)
    _everyone: tuple[SourceId, ...] = field(init=False)

    def __post_init__(self) -> None:
        require_hiding(self.floor, self.limit)
        self.sources = tuple(reached(self.transport))
        ready = self._put({source: Ready(self.question) for source in self.sources})
        self.sources = self._everyone = tuple(source for source in self.sources if source in ready)
        self.revealed = np.zeros((0, len(self.sources)), dtype=np.bool_)

    def sizes(self) -> dict[SourceId, int]:
        """Return every source's number of records, which is attributable."""
        answers = self._put({source: Ready(self.question, counted=True) for source in self.sources})
        for source, answer in answers.items():
            self.attributable[source] = self.attributable.get(source, 0) + answer.values.nbytes
        return {source: int(answer.values[0]) for source, answer in answers.items()}

    def keep(self, sources: Sequence[SourceId]) -> None:
        """Go on with some of the sources; what was revealed of all of them still counts."""
        kept = set(sources)
        self.sources = tuple(source for source in self.sources if source in kept)

    @property
    def leverage(self) -> float:
        """The largest leverage of a source in all that was revealed."""
        return float(self.leverages().max(initial=0.0))

    def leverages(self, masks: Masks | None = None) -> Vector:
        """Return the leverage of every source ever asked, if the cohorts of ``masks`` were revealed as well."""
        return leverage(self.revealed if masks is None else np.concatenate([self.revealed, self._widened(masks)]))

    def reveal(self, masks: Masks) -> tuple[Statistic, ...]:
        """Return the sum of each cohort of (cohorts, sources) ``masks``.

        Raises
        ------
        Refusal
            ``E-COHORT-SMALL`` for a cohort of fewer than ``floor`` members or with fewer outside it,
            ``E-COHORT-LEVERAGE`` if a source's would exceed ``limit``, ``E-COHORT-INCOMPLETE`` if a member breaks
            down, and what ``recorded`` refuses
        """
        self.require(masks)
        if self.recorded is not None:
            self.recorded(named_cohorts(self.sources, masks))
        self.rounds += 1
        sums = []
        for mask in masks:
            # Counted before anybody is asked: of a sum that breaks down half-way it is not known who saw what.
            self.revealed = np.concatenate([self.revealed, self._widened(mask[None, :])])
            sums.append(self._sum([self.sources[place] for place in np.flatnonzero(mask)]))
        return tuple(sums)

    def require(self, masks: Masks) -> None:
        """Refuse cohorts too small, and sums that would lift a leverage above the limit, without asking anybody."""
        for members in masks.sum(axis=1).tolist():
            if not self.floor <= members <= len(self.sources) - self.floor:
                raise _small(members, len(self.sources), self.floor)
        lifted = self.leverages(masks)
        if lifted.max(initial=0.0) > self.limit + 1e-9:
            raise _exposed(self._everyone[int(lifted.argmax())], float(lifted.max()), self.limit)

    def scalars(self, questions: Mapping[SourceId, Computed]) -> Vector:
        """Put to each source its question and return the (sources,) float32 numbers that come back."""
        self.rounds += 1
        answers = self._put(questions)
        for source in answers:
            self.attributable[source] = self.attributable.get(source, 0) + _SCALAR_BYTES
        told = {source: _number(answer) for source, answer in answers.items()}
        missing = [source for source in self.sources if not np.isfinite(told.get(source, np.nan))]
        if missing:
            raise _incomplete(missing)
        return np.array([told[source] for source in self.sources])

    def _widened(self, masks: Masks) -> Masks:
        """Return masks over the sources that are left as masks over all that were ever asked."""
        wide = np.zeros((len(masks), len(self._everyone)), dtype=np.bool_)
        wide[:, [self._everyone.index(source) for source in self.sources]] = masks
        return wide

    def _sum(self, group: list[SourceId]) -> Statistic:
        summed = self.summed or self.question
        if self.protection is None:
            answers = self._put(dict.fromkeys(group, summed))
            self._complete(group, self._possible(answers))
            return self._checked(group, Statistic.total(answers.values()))
        round_id = self.entropy(16).hex()
        family = summed.family
        session = self.protection.open(group, round_id=round_id, length=family.length, entropy=self.entropy)
        server, is_first = session.server, True
        while server.total is None:
            told = server.told()
            answers = self._put(
                {source: Share(summed, session.members[source], told[source], is_first) for source in group}
            )
            is_first = False
            self._complete(group, answers)
            for source, answer in answers.items():
                server.take(source, answer.values.tobytes()[: answer.shape[0]])
            server.close()
        return self._checked(group, Statistic(family.kind, (family.dim,), server.total))

    def _possible(self, answers: Mapping[SourceId, Statistic]) -> dict[SourceId, Statistic]:
        """Return, of answers that lie open, those that records can give; the others are named in ``refused``."""
        possible = {}
        for source, answer in answers.items():
            try:
                if self.summed is None:
                    self.question.family.check(answer)
                possible[source] = answer
            except HeadwaterError as error:
                self.refused[source] = naming(source, error)
        return possible

    def _checked(self, group: Sequence[SourceId], total: Statistic) -> Statistic:
        """Refuse, with all its members, a sum that no records can give; one with noise is no such sum."""
        if self.summed is None:
            try:
                self.question.family.check(total)
            except HeadwaterError as error:
                raise _impossible(group, error) from error
        return total

    def _complete(self, group: Sequence[SourceId], answers: Mapping[SourceId, Statistic]) -> None:
        missing = [source for source in group if source not in answers]
        if missing:
            raise _incomplete(missing)
        if self.protection is None or self.protection.reveals == "each":
            for source, answer in answers.items():
                self.attributable[source] = self.attributable.get(source, 0) + answer.nbytes

    def _put(self, questions: Mapping[SourceId, Computed]) -> dict[SourceId, Statistic]:
        """Ask each source its own question; who fails is named in ``refused``."""
        answers: dict[SourceId, Statistic] = {}
        for source, question in questions.items():
            self.asked[source] = self.asked.get(source, 0) + question.nbytes
            try:
                message = carried(self.transport, source, question)
                answers[source] = Statistic.from_bytes(message)
            except HeadwaterError as error:
                self.refused[source] = naming(source, error)
            else:
                self.answered[source] = self.answered.get(source, 0) + len(message)
        return answers


def _number(answer: Statistic) -> float:
    """Return the float32 whose bits an answer holds; NaN where it holds anything else."""
    if len(answer.values) != 1 or answer.values[0] > np.iinfo(np.uint32).max:
        return np.nan
    return float(answer.values.astype(np.uint32).view(np.float32)[0])


def _impossible(group: Sequence[SourceId], error: HeadwaterError) -> Refusal:
    return Refusal(
        "E-COHORT-IMPOSSIBLE",
        Message(f"来源 {group} 的和：{error.reason.zh}", f"The sum of sources {list(group)}: {error.reason.en}"),
        Message("请核查该组各来源后重新开始。", "Examine the sources of that cohort and begin anew."),
    )


def _small(members: int, sources: int, floor: int) -> Refusal:
    return Refusal(
        "E-COHORT-SMALL",
        Message(
            f"群组有 {members} 个来源（共 {sources} 个），组内和组外都须至少 {floor} 个。",
            f"A cohort holds {members} of {sources} sources; at least {floor} must be in it and {floor} outside.",
        ),
        Message("请合并群组，或登记更多来源。", "Join cohorts, or register more sources."),
    )


def _exposed(source: SourceId, reached: float, limit: float) -> Refusal:
    return Refusal(
        "E-COHORT-LEVERAGE",
        Message(
            f"来源“{source}”的杠杆值将达 {reached:.3f}，超过上限 {limit:.3f}。",
            f"The leverage of source {source} would reach {reached:.3f}, above {limit:.3f}.",
        ),
        Message("请求和数更少，或群组更大。", "Ask for fewer sums, or larger cohorts."),
    )


def _incomplete(missing: Sequence[SourceId]) -> Refusal:
    return Refusal(
        "E-COHORT-INCOMPLETE",
        Message(f"来源 {missing} 中途没有可用的回答。", f"Sources {list(missing)} gave no usable answer half-way."),
        Message("请重新开始；已公开的和数仍计入杠杆值。", "Begin anew; what was revealed still counts in leverage."),
    )


def _too_few_records() -> Refusal:
    return Refusal(
        "E-VALUE-RECORDS",
        Message(f"记录少于 {_FEWEST_RECORDS} 条。", f"Fewer than {_FEWEST_RECORDS} records."),
        Message("请补充记录。", "Add records."),
    )
