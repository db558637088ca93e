"""The round between the bureau and its sources, over any transport."""

from headwater.federation.cohorts import CohortSums
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
    "CohortSums",
    "Computed",
    "Description",
    "GramQuestion",
    "InProcess",
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
]
