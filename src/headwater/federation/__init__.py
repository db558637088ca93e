"""The round between the bureau and its sources, over any transport."""

from headwater.federation.cohorts import CohortSums
from headwater.federation.learner import Asked, Combine, Described, Learner, Learnt, learn
from headwater.federation.ledger import Ledger
from headwater.federation.round import Answers, ask
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
    "CohortSums",
    "Combine",
    "Computed",
    "Described",
    "Description",
    "GramQuestion",
    "InProcess",
    "Learner",
    "Learnt",
    "Ledger",
    "Question",
    "Remembering",
    "Source",
    "SourceFault",
    "TableSource",
    "Transport",
    "UpdateQuestion",
    "Without",
    "ask",
    "learn",
]
