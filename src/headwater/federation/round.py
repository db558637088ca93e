"""One round: the same question to every source; who fails is named and left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.source import Computed, Question
from headwater.federation.transport import SourceFault, Transport, twice
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Answers", "Checked", "Family", "ask", "carried", "delivered", "naming", "reached"]


@dataclass(frozen=True)
class Answers:
    """What came back.

    Parameters
    ----------
    statistics : the answers, by source in order of name
    bytes_by_source : bytes exchanged with each source, question and answer together, failed ones included
    refused : why each of the other sources is left out
    """

    statistics: dict[SourceId, Statistic]
    bytes_by_source: dict[SourceId, int]
    refused: dict[SourceId, HeadwaterError]


class Family(Protocol):
    """What knows the answers to a question."""

    def check(self, statistic: Statistic) -> None:
        """Refuse an answer that no records could give."""
        ...


class Checked(Computed, Protocol):
    """A question that carries its own computation, and knows what its answers look like."""

    @property
    def family(self) -> Family:
        """What checks the answer."""
        ...


def ask(transport: Transport, question: Question | Checked, *, sources: Sequence[SourceId] | None = None) -> Answers:
    """Put the question to ``sources``, by default to all that the transport reaches.

    An answer is checked before it counts: its form, and whether any records could give it.

    Raises
    ------
    Refusal
        ``E-ROUND-EMPTY`` if nobody is to be asked, and what ``reached`` refuses
    """
    asked = reached(transport) if sources is None else sorted(sources)
    if not asked:
        raise _nobody()
    statistics: dict[SourceId, Statistic] = {}
    bytes_by_source: dict[SourceId, int] = {}
    refused: dict[SourceId, HeadwaterError] = {}
    for source in asked:
        bytes_by_source[source] = question.nbytes
        try:
            message = carried(transport, source, question)
            bytes_by_source[source] += len(message)
            statistic = Statistic.from_bytes(message)
            question.family.check(statistic)
        except HeadwaterError as error:
            refused[source] = naming(source, error)
        else:
            statistics[source] = statistic
    return Answers(statistics, bytes_by_source, refused)


def reached(transport: Transport) -> list[SourceId]:
    """Return the names by which sources are asked; what is no federation, or a name given twice, is refused.

    A source without a name stays, and is refused alone when it is asked.

    Raises
    ------
    Refusal
        ``E-ROUND-FEDERATION``, ``E-SOURCE-NAME``, ``E-SOURCE-TWICE``
    """
    if not hasattr(transport, "source_ids") or not hasattr(transport, "send"):
        raise _no_federation(transport)
    names = list(transport.source_ids)
    for name in names:
        if not isinstance(name, str):
            raise _no_name(name)
    ordered = sorted(names)
    for one, other in pairwise(ordered):
        if one == other:
            raise twice(one)
    return ordered


def carried(transport: Transport, source: SourceId, question: Question | Computed) -> bytes:
    """Return the source's message; whatever happens on the way is that source's fault alone, and names it.

    A transport written elsewhere may raise anything when a node is gone: nothing of it may void the others' round.
    """
    return delivered(source, partial(transport.send, source, question))


def delivered(source: SourceId, send: Callable[[], bytes]) -> bytes:
    """Return the message that ``send`` brings from a source; see ``carried``."""
    if not source:
        raise _no_name(source)
    try:
        message = send()
    except HeadwaterError as error:
        raise naming(source, error) from error
    except Exception as error:
        raise _unreachable(source, error) from error
    if not isinstance(message, bytes | bytearray | memoryview):
        raise _no_bytes(source, message)
    return bytes(message)


def naming(source: SourceId, error: HeadwaterError) -> HeadwaterError:
    """Return the error with the source's name in its reason."""
    if not source or error.reason.en.startswith((f"Source {source}:", f"Source {source} ")):
        return error
    reason = Message(f"来源“{source}”：{error.reason.zh}", f"Source {source}: {error.reason.en}")
    named = type(error)(error.code, reason, error.remedy)
    named.__cause__ = error
    return named


def _unreachable(source: SourceId, error: Exception) -> SourceFault:
    said = str(error) or type(error).__name__
    return SourceFault(
        "E-SOURCE-FAULT",
        Message(f"来源“{source}”没有回答（{said}）。", f"Source {source} gave no answer ({said})."),
        Message("请检查该来源后重试；其余来源不受影响。", "Examine it and try again; the others are not affected."),
    )


def _no_bytes(source: SourceId, message: object) -> SourceFault:
    kind = type(message).__name__
    return SourceFault(
        "E-SOURCE-FAULT",
        Message(f"来源“{source}”的回答不是字节（{kind}）。", f"Source {source} answered with no bytes ({kind})."),
        Message(
            "send 应返回 Statistic.to_bytes 写出的字节。", "Let send return the bytes that Statistic.to_bytes wrote."
        ),
    )


def _nobody() -> Refusal:
    return Refusal(
        "E-ROUND-EMPTY",
        Message("没有可询问的来源。", "There is no source to ask."),
        Message("请先登记来源。", "Register sources first."),
    )


def _no_federation(given: object) -> Refusal:
    kind = type(given).__name__
    return Refusal(
        "E-ROUND-FEDERATION",
        Message(f"{kind} 不是可询问的来源群。", f"A {kind} cannot be asked: it has no source_ids or no send."),
        Message("数据表请用 InProcess.of({名称: 表}) 包装。", "Wrap tables as InProcess.of({name: table})."),
    )


def _no_name(name: object) -> Refusal:
    return Refusal(
        "E-SOURCE-NAME",
        Message(f"来源名称 {name!r} 不是文字，或为空。", f"The source name {name!r} is no text, or empty."),
        Message("请给每个来源一个文字名称。", "Give every source a name that is text."),
    )
