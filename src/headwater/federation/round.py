"""One round: the same question to every source; who fails is named and left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.source import Question
from headwater.federation.transport import SourceFault, Transport
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Answers", "ask", "naming"]


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


def ask(transport: Transport, question: Question, *, sources: Sequence[SourceId] | None = None) -> Answers:
    """Put the question to ``sources``, by default to all that the transport reaches.

    An answer is checked before it counts: its form, and whether any records could give it.
    """
    asked = sorted(transport.source_ids if sources is None else sources)
    if not asked:
        raise _nobody()
    statistics: dict[SourceId, Statistic] = {}
    bytes_by_source: dict[SourceId, int] = {}
    refused: dict[SourceId, HeadwaterError] = {}
    for source in asked:
        bytes_by_source[source] = question.nbytes
        try:
            message = transport.send(source, question)
            bytes_by_source[source] += len(message)
            statistic = Statistic.from_bytes(message)
            question.family.check(statistic)
        except HeadwaterError as error:
            refused[source] = naming(source, error)
        except OSError as error:
            refused[source] = _unreachable(source, error)
        else:
            statistics[source] = statistic
    return Answers(statistics, bytes_by_source, refused)


def naming(source: SourceId, error: HeadwaterError) -> HeadwaterError:
    """Return the error with the source's name in its reason."""
    if source in error.reason.en:
        return error
    reason = Message(f"来源“{source}”：{error.reason.zh}", f"Source {source}: {error.reason.en}")
    named = type(error)(error.code, reason, error.remedy)
    named.__cause__ = error
    return named


def _unreachable(source: SourceId, error: OSError) -> SourceFault:
    return SourceFault(
        "E-SOURCE-FAULT",
        Message(f"来源“{source}”没有回答（{error}）。", f"Source {source} gave no answer ({error})."),
        Message("请检查该来源后重试；其余来源不受影响。", "Examine it and try again; the others are not affected."),
    )


def _nobody() -> Refusal:
    return Refusal(
        "E-ROUND-EMPTY",
        Message("没有可询问的来源。", "There is no source to ask."),
        Message("请先登记来源。", "Register sources first."),
    )
