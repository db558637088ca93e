"""What a source requires of whoever asks: who may see what, how much privacy may be spent, by which means, for what.

It is held against a release before anything leaves the source; the ledger holds what is spent against the caps.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from headwater.errors import Message, Refusal
from headwater.security.events import Event, kinds
from headwater.types import SourceId

__all__ = ["SHOWN", "VIEWERS", "Caps", "Forbidden", "Release", "Requirement", "Shown", "Viewer"]

Viewer: TypeAlias = Literal["nobody", "tier", "region"]
Shown: TypeAlias = Literal["statistic", "sum", "noisy"]

VIEWERS: tuple[Viewer, ...] = ("nobody", "tier", "region")
"""Who may see a thing, each including the ones before it: no other party, the source's own tier, the whole region."""

SHOWN: tuple[Shown, ...] = ("statistic", "sum", "noisy")
"""What may be seen: the source's own numbers, a sum in which they stand, numbers with noise."""

_VIEWER = {
    "nobody": Message("任何一方", "nobody"),
    "tier": Message("本层级", "its tier"),
    "region": Message("统筹区", "the region"),
}
_SHOWN = {
    "statistic": Message("本来源的统计量", "the source's own statistic"),
    "sum": Message("含本来源的合计", "a sum with others"),
    "noisy": Message("加噪的数值", "numbers with noise"),
}


class Forbidden(Refusal):
    """What a requirement does not permit; ``why`` says what of it, whichever source it is."""

    def __init__(self, code: str, reason: Message, remedy: Message, why: Message) -> None:
        super().__init__(code, reason, remedy)
        self.why = why


@dataclass(frozen=True)
class Caps:
    """Most ε of one release, in a calendar month (UTC), and ever."""

    release: float
    month: float
    lifetime: float


@dataclass(frozen=True)
class Release:
    """Something that a source is about to let go.

    Parameters
    ----------
    release_id : the same for the same content sent again, never for other content or fresh noise
    tier : who will see it
    shown : what it shows where it carries no noise
    protection : how it travels, of ``PROTECTIONS``
    """

    release_id: str
    source: SourceId
    purpose: str
    event: Event
    tier: Viewer = "region"
    shown: Shown = "statistic"
    protection: str = "clear"

    @property
    def is_noisy(self) -> bool:
        """Whether noise protects it, so that it costs privacy that can be counted."""
        return "non_private" not in kinds(self.event)


@dataclass(frozen=True)
class Requirement:
    """What one source, or every source alike, requires for one group of patients.

    Parameters
    ----------
    sources : to which it belongs; None for all
    patients : the group whose privacy is spent
    sees : for each of ``SHOWN`` the widest circle that may see it
    delta : δ at which ε is counted
    caps : over all purposes and tiers
    purposes : what it may be used for, each with its own caps within the others
    mechanisms : kinds of noise and protections that may be used
    narrowed_from : version of what the source requires, where this is only how somebody wished it narrower
    """

    name: str
    title: Message
    sources: frozenset[SourceId] | None
    patients: str
    sees: Mapping[Shown, Viewer]
    delta: float
    caps: Caps
    purposes: Mapping[str, Caps]
    mechanisms: frozenset[str]
    narrowed_from: str = ""

    @cached_property
    def version(self) -> str:
        """The digest of the source's own words, which a wish does not change: SHA-256 of ``text``, 16 digits of it."""
        return self.narrowed_from or hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """What is required as canonical JSON: titles and the order of keys do not count."""
        said = asdict(self)
        for silent in ("title", "narrowed_from"):
            said.pop(silent)
        said["sources"] = None if self.sources is None else sorted(self.sources)
        said["mechanisms"] = sorted(self.mechanisms)
        return json.dumps(said, sort_keys=True, ensure_ascii=False)

    def covers(self, source: SourceId) -> bool:
        """Whether it is the requirement of this source."""
        return self.sources is None or source in self.sources

    def permit(self, release: Release) -> None:
        """Refuse a release that the source does not allow, whatever is left of its budget.

        Raises
        ------
        Refusal
            ``E-REQUIRE-SOURCE``, ``E-REQUIRE-PURPOSE``, ``E-REQUIRE-VIEWER`` or ``E-REQUIRE-MECHANISM``
        """
        if not self.covers(release.source):
            raise self._refused("SOURCE", Message("不属于该要求", "it is not one of its sources"), release)
        if release.purpose not in self.purposes:
            allowed = Message(
                f"不得用于“{release.purpose}”，只限{'、'.join(sorted(self.purposes))}",
                f"{release.purpose!r} is no purpose of it, only {', '.join(sorted(self.purposes))}",
            )
            raise self._refused("PURPOSE", allowed, release)
        shown: Shown = "noisy" if release.is_noisy else release.shown
        if VIEWERS.index(release.tier) > VIEWERS.index(self.sees[shown]):
            what, who, most = _SHOWN[shown], _VIEWER[release.tier], _VIEWER[self.sees[shown]]
            seen = Message(f"{what.zh}不得由{who.zh}看到", f"{what.en} may not be seen by {who.en}")
            if self.sees[shown] != "nobody":
                seen = Message(f"{seen.zh}，至多{most.zh}", f"{seen.en}, at most by {most.en}")
            raise self._refused("VIEWER", seen, release)
        used = {release.protection} | (kinds(release.event) if release.is_noisy else set())
        if used - self.mechanisms:
            unknown = sorted(used - self.mechanisms)
            means = Message(
                f"不允许的机制：{'、'.join(unknown)}；可用：{'、'.join(sorted(self.mechanisms))}",
                f"{', '.join(unknown)} is not among its mechanisms {', '.join(sorted(self.mechanisms))}",
            )
            raise self._refused("MECHANISM", means, release)

    def _refused(self, code: str, why: Message, release: Release) -> "Forbidden":
        return Forbidden(
            f"E-REQUIRE-{code}",
            Message(
                f"来源“{release.source}”按要求“{self.name}”不放出：{why.zh}。",
                f"Source {release.source} lets nothing go under its requirement {self.name}: {why.en}.",
            ),
            Message("请改用其允许的方式，或请来源修改要求。", "Ask as it allows, or ask the source to change it."),
            Message(f"要求“{self.name}”：{why.zh}", f"under requirement {self.name}, {why.en}"),
        )
