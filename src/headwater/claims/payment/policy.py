"""What a payment policy says, as values: whole fen and millionths, nothing computed yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from headwater.errors import Message

__all__ = [
    "Benefit",
    "Budget",
    "Case",
    "Common",
    "Death",
    "High",
    "Outside",
    "Policy",
    "Repeated",
    "Tier",
    "Transfer",
    "Weight",
]

Same = Literal["any", "mdc", "adrg", "drg"]


@dataclass(frozen=True)
class Weight:
    """A group's weight, and what else is known of the group.

    Parameters
    ----------
    weight : millionths
    mean_days : mean length of stay in millionths of a day, or None
    low, high : trim points of cost in fen; None: the policy's ratios to the package hold
    """

    weight: int
    mean_days: int | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Common:
    """A common disease paid otherwise: by a rate of its own (same disease, same price) and a factor.

    Parameters
    ----------
    drgs, adrgs, diagnoses : groups, and beginnings of main diagnoses; any of them suffices
    hosp_lv, insutype : where it holds; empty: everywhere
    rate : fen, in place of the base rate, or None
    factor : millionths
    """

    name: str
    drgs: frozenset[str] = frozenset()
    adrgs: frozenset[str] = frozenset()
    diagnoses: tuple[str, ...] = ()
    hosp_lv: frozenset[str] = frozenset()
    insutype: frozenset[str] = frozenset()
    rate: int | None = None
    factor: int = 10**6


@dataclass(frozen=True)
class High:
    """High outliers: share of the excess above ``above`` × package; ``tiers`` are (weight below, above), last open."""

    share: int
    tiers: tuple[tuple[int | None, int], ...]


@dataclass(frozen=True)
class Death:
    """Deaths within so many days: by cost, or the whole package whatever the cost."""

    within_days: int
    pay: Literal["cost", "package"]


@dataclass(frozen=True)
class Transfer:
    """Stays that end in another hospital: a share of the package, or (None) by the day up to the whole package."""

    ways: frozenset[str]
    share: int | None


@dataclass(frozen=True)
class Repeated:
    """A further stay of one person in one hospital.

    Parameters
    ----------
    name : same_day_readmission, split_stay or readmission
    within_days : days between the former discharge and this admission, at most
    same : what both stays must share
    share : of this stay's package in millionths; None: both are one case, paid once
    spared : ADRGs to which it does not apply, such as planned chemotherapy
    """

    name: str
    within_days: int
    same: Same
    share: int | None
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outside:
    """Consumables paid outside the package: which amount, at which share, in which ADRGs (empty: in all)."""

    amount: Literal["high_value_amount", "consumable_amount"]
    share: int
    adrgs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tier:
    """A ratio of reimbursement up to an amount in fen (None: without end) above the deductible."""

    up_to: int | None
    ratio: int


@dataclass(frozen=True)
class Benefit:
    """What the fund pays of a bill, for an insurance type at a level of hospitals.

    Parameters
    ----------
    eligible : item class (jia, yi, bing) → share that counts at all, millionths
    deductible, ceiling : fen; the ceiling is None where there is none
    yearly : the ceiling holds for all stays of a calendar year, not for each
    further : deductibles of a person's second and later stays of a calendar year, the last one for all after it; empty:
        every stay has the first one's
    """

    eligible: Mapping[str, int]
    deductible: int
    tiers: tuple[Tier, ...]
    ceiling: int | None = None
    yearly: bool = False
    further: tuple[int, ...] = ()

    @property
    def deductibles(self) -> tuple[int, ...]:
        """Deductibles by the place of a stay in its person's year."""
        return (self.deductible, *self.further)


@dataclass(frozen=True)
class Budget:
    """Global budgets of a calendar year.

    Parameters
    ----------
    hospitals : hospital → fen a year
    pools : insurance type → fen a year that its fund has for all hospitals
    prepaid : share of a twelfth that is paid in advance each month, millionths
    surplus : (down to this share of the budget, share of the unused money that the hospital keeps), from above
    excess : (up to this share of the budget, share of the excess that the fund pays), from below
    """

    hospitals: Mapping[str, int]
    prepaid: int
    surplus: tuple[tuple[int | None, int], ...] = ()
    excess: tuple[tuple[int | None, int], ...] = ()
    pools: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A test: stays and what each must be paid (payable, fund or self_pay → fen); ``at`` is its line and column."""

    name: str
    where: str
    stays: tuple[Mapping[str, str], ...]
    expected: tuple[Mapping[str, int], ...]
    at: tuple[int, int]


@dataclass(frozen=True)
class Policy:
    """One dated version of a payment policy; see docs/payment.md.

    Parameters
    ----------
    version : 16 hexadecimal digits of the SHA-256 of what it says, tests, titles and the spelling of numbers left out
    content : the file as mappings, lists and texts
    regions : whose stays it pays; empty: every region's
    currency : ISO 4217 code of all amounts; a fen is its hundredth
    weights, adrg_weights : by group; where a DRG has none, its ADRG's holds
    rates : (hospital level, insurance type) → fen for weight one
    coefficients : hospital → millionths
    neutral : budget-neutral factor, millionths
    low : a stay below this share of its package (millionths) is paid by cost, or None
    by_cost : share of the bill paid where no package can be, millionths
    unclassed : item class as which the part of a bill outside 甲, 乙 and 丙 counts
    benefits : (insurance type, hospital level) → ratios; None: what the patient paid is taken as billed
    floored : whether a fund payment below zero becomes zero
    """

    name: str
    title: Message
    plan: str
    valid_from: date
    valid_to: date | None
    weights: Mapping[str, Weight]
    adrg_weights: Mapping[str, Weight]
    rates: Mapping[tuple[str, str], int]
    coefficients: Mapping[str, int]
    neutral: int
    common: tuple[Common, ...]
    low: int | None
    high: High | None
    death: Death | None
    transfer: Transfer | None
    repeated: tuple[Repeated, ...]
    outside: Outside | None
    by_cost: int
    unclassed: str
    benefits: Mapping[tuple[str, str], Benefit] | None
    floored: bool
    budget: Budget | None
    regions: tuple[str, ...] = ()
    currency: str = "CNY"
    tests: tuple[Case, ...] = field(default=(), repr=False)
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: str = ""

    def weight(self, drg: str | None, adrg: str | None) -> tuple[Weight | None, bool]:
        """Return the weight of a group, and whether it is the DRG's own."""
        own = self.weights.get(drg or "")
        return (own, True) if own is not None else (self.adrg_weights.get(adrg or ""), False)

    def holds_on(self, day: date) -> bool:
        """Whether the policy is in force on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)
