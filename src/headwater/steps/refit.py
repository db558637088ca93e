"""Refit: the exact part of a version once more, from the records of all who are in it."""

from dataclasses import dataclass

import pyarrow as pa

from headwater.adapters.features import Region
from headwater.adapters.held import Held
from headwater.adapters.home import Home
from headwater.adapters.learners import Learner
from headwater.federation import InProcess, Transport, ask
from headwater.security.events import NonPrivate
from headwater.statistics import Statistic
from headwater.steps.joint import PURPOSE
from headwater.steps.ledger import Books
from headwater.types import SourceId, Vector

__all__ = ["Refit", "asked_again", "refit"]


@dataclass(frozen=True)
class Refit:
    """A statistic from records.

    Parameters
    ----------
    records : that it tells of
    bytes : exchanged with sources
    """

    total: Statistic
    records: int
    bytes: int


def refit(home: Home, region: Region, learner: Learner, parameters: Vector, held: Held) -> Refit:
    """Ask the members of a version again for the months that it knows, and the bureau's own records.

    Parameters
    ----------
    parameters : whose body the exact part is solved over
    held : who the members are and which months each told of; statistics that are held are not looked at, but that a
        member of whom nothing is left is not asked

    Raises
    ------
    Refusal
        a member's own words where it may not be asked any more
    HeadwaterError
        what a member gave instead of an answer
    """
    there, books = _there(held), Books(home, PURPOSE, "clear")
    asked = [source for source in region.sources if source.source_id in set(there)]
    transport = InProcess(books.guarded(asked, books.seen(there, NonPrivate())))
    return asked_again(transport, region.target.train, learner, parameters, held)


def asked_again(transport: Transport, own: pa.Table, learner: Learner, parameters: Vector, held: Held) -> Refit:
    """Do the same over a transport that is there already.

    Parameters
    ----------
    own : all training records of the bureau; those count that ``held.own`` gives, whoever else has records then
    """
    question = learner.exact(parameters)
    total, sent = Statistic.total([question.of(held.own(own))] * held.weight), 0
    for source in _there(held):
        months = held.months.get(source) or None
        answers = ask(transport, learner.exact(parameters, months=months), sources=[source])
        for error in answers.refused.values():
            raise error
        total, sent = total.merge(answers.statistics[source]), sent + answers.bytes_by_source[source]
    return Refit(total, question.family.records(total), sent)


def _there(held: Held) -> list[SourceId]:
    """Return the members of whom anything is left."""
    return [source for source, said in sorted(held.growth.members.items()) if said.values.any()]
