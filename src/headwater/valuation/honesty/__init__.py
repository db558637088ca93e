"""Against lying sources: commitments, exact consistency, copies, and audits against claims that were paid."""

from headwater.valuation.honesty.audit import Audit, Claims, Witness, audit, detection, needed
from headwater.valuation.honesty.blocks import Books, Opening, Statement
from headwater.valuation.honesty.commitment import commit, opens
from headwater.valuation.honesty.consistency import months_add_up, sums_agree
from headwater.valuation.honesty.copies import copies
from headwater.valuation.honesty.examine import Said, examine
from headwater.valuation.honesty.finding import Finding, Report
from headwater.valuation.honesty.fit import too_good
from headwater.valuation.honesty.paid import as_paid
from headwater.valuation.honesty.scalars import bounded, recomputed

__all__ = [
    "Audit",
    "Books",
    "Claims",
    "Finding",
    "Opening",
    "Report",
    "Said",
    "Statement",
    "Witness",
    "as_paid",
    "audit",
    "bounded",
    "commit",
    "copies",
    "detection",
    "examine",
    "months_add_up",
    "needed",
    "opens",
    "recomputed",
    "sums_agree",
    "too_good",
]
