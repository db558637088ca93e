"""The round between the bureau and its sources, over any transport."""

from headwater.federation.boosting import Boosting
from headwater.federation.cohorts import CohortSums
from headwater.federation.curved import Curved
from headwater.federation.learner import Asked, Combine, Described, Learner, Learnt, learn
from headwater.federation.ledger import Ledger
from headwater.federation.round import Answers, ask
from headwater.federation.scored import Scored, Working
from headwater.federation.solved import Solved
from headwater.federation.source import (
    Computed,
    Description,
    GramQuestion,
    Question,
    Source,
    TableSource,
    UpdateQuestion,
)
from headwater.federation.transport import InProcess, Remembering, SourceFault, Transport, Without

__all__ = [
    "Answers",
    "Asked",
    "Boosting",
    "CohortSums",
    "Combine",
    "Computed",
    "Curved",
    "Described",
    "Description",
    "GramQuestion",
    "InProcess",
    "Learner",
    "Learnt",
    "Ledger",
    "Question",
    "Remembering",
    "Scored",
    "Solved",
    "Source",
    "SourceFault",
    "TableSource",
    "Transport",
    "UpdateQuestion",
    "Without",
    "Working",
    "ask",
    "learn",
]
