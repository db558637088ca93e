"""A contract's first draft from delivered files: names, values, assignment, and the YAML with what is to be decided."""

from headwater.claims.proposing.drafting import Source, draft, source_name
from headwater.claims.proposing.proposal import Proposal, ProposedColumn, ProposedTable, propose_tables

__all__ = ["Proposal", "ProposedColumn", "ProposedTable", "Source", "draft", "propose_tables", "source_name"]
