"""A plan as its tables, before it is compiled: what a folder says, whatever its layout."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Entry", "Group", "Listed", "PlanTables"]

_TOLD = ("title", "source", "unreachable")


@dataclass(frozen=True)
class Listed:
    """The codes of one list; ``mark`` is a part of the list (an area of the body, a kind of operation) or empty.

    Parameters
    ----------
    owner : the MDC or ADRG whose rules may name it; empty if all may
    name : as rules name it
    kind : ``diagnosis`` or ``operation``
    codes : code to mark
    """

    owner: str
    name: str
    kind: str
    codes: Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """An MDC or one way into an ADRG: its code, the group above it, its rule, its name and what a stay in it is called.

    An ADRG with several ways in is written ``AH1_1``, ``AH1_2``: what stands before the line is its code.
    """

    code: str
    within: str
    rule: str
    name: str = ""
    status: str = "grouped"


@dataclass(frozen=True)
class Group:
    """A DRG: its code, the code of its ADRG, its rule and its name."""

    code: str
    adrg: str
    rule: str
    name: str


@dataclass(frozen=True)
class PlanTables:
    """Everything that a plan says; the order of MDC, ADRG and DRG is the order in which they are tried.

    Parameters
    ----------
    name, title, source : what it is called and where it is from
    diagnoses, operations : code to name
    diagnosis_map, operation_map : codes of other editions and what they become
    lists, mdcs, adrgs, drgs : groups and what their rules speak of
    complications : (code, level ``MCC`` or ``CC``, number of its exclusion table)
    exclusions : (number of an exclusion table, principal diagnosis that excludes what bears the number)
    unreachable : DRGs in which no stay can land, each with the reason, where their author knows
    """

    name: str
    title: str = ""
    source: str = ""
    diagnoses: Mapping[str, str] = field(default_factory=dict)
    operations: Mapping[str, str] = field(default_factory=dict)
    diagnosis_map: Mapping[str, str] = field(default_factory=dict)
    operation_map: Mapping[str, str] = field(default_factory=dict)
    lists: tuple[Listed, ...] = ()
    mdcs: tuple[Entry, ...] = ()
    adrgs: tuple[Entry, ...] = ()
    drgs: tuple[Group, ...] = ()
    complications: tuple[tuple[str, str, str], ...] = ()
    exclusions: tuple[tuple[str, str], ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the version: the beginning of the SHA-256 of everything that can change a group."""
        said = {name: value for name, value in vars(self).items() if name not in _TOLD}
        said["lists"] = sorted(tuple(vars(listed).values()) for listed in self.lists if listed.codes)
        groups = {name: [tuple(vars(group).values()) for group in said[name]] for name in ("mdcs", "adrgs", "drgs")}
        text = json.dumps(said | groups, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
