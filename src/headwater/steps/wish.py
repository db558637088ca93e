"""What a person wishes beyond what sources require: that they are seen in sums alone, or openly, or are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS
from headwater.security.events import NonPrivate
from headwater.security.requirement import Release, Requirement, Viewer
from headwater.security.requirement import Shown as Shows
from headwater.types import SourceId

__all__ = ["AS_REQUIRED", "InCity", "InRegion", "Wish"]

InCity: TypeAlias = Literal["required", "clear", "masked"]
InRegion: TypeAlias = Literal["required", "masked", "judged"]
"""``required``: whatever requirements permit that is cheapest, which for the sum of a city is in clear."""


@dataclass(frozen=True)
class Wish:
    """How statistics are to travel. A wish narrows what a plan may choose from; it never widens a requirement.

    Nor does it spend privacy: who may be seen openly, and finds no companions for masks, adds no noise instead.

    Parameters
    ----------
    city : from a hospital to its city; ``masked``: no city sees what one of its hospitals said
    region : from a city to the region; ``masked``: nobody sees less than the sum of a whole group, so cities too are
        masked; ``judged``: sources speak to the region themselves, under masks, in cohorts whose sums are judged, so
        cities see nothing, and whoever does not permit this is left out
    """

    city: InCity = "required"
    region: InRegion = "required"

    def __post_init__(self) -> None:
        places = Message("医院到城市", "from hospital to city"), Message("城市到统筹区", "from city to region")
        for where, told, kind in zip(places, (self.city, self.region), (InCity, InRegion), strict=True):
            if told not in get_args(kind):
                raise _unknown(where, told, ", ".join(get_args(kind)))
        if self.city == "clear" and self.hides:
            raise _contrary()

    @property
    def hides(self) -> bool:
        """Whether nobody is to see what one source said."""
        return "masked" in (self.city, self.region) or self.is_judged

    @property
    def is_judged(self) -> bool:
        """Whether sums of cohorts are asked for, to be judged."""
        return self.region == "judged"

    def narrowed(self, rules: Mapping[SourceId, Requirement], *, purpose: str) -> dict[SourceId, Requirement]:
        """Return the requirements with the wish in them, each under the version that its source wrote.

        One that forbids what is wished is refused in its own words; but one that forbids that sums are judged leaves
        its source out of the plan, and stays as it is.

        Raises
        ------
        Refusal
            ``E-REQUIRE-VIEWER`` or ``E-REQUIRE-MECHANISM``
        """
        if self.is_judged:
            return dict(rules)
        for source, rule in rules.items():
            for viewer, shown, protection in self._asked():
                release = Release("", source, purpose, NonPrivate(), tier=viewer, shown=shown, protection=protection)
                rule.permit(release)
        return {source: replace(self._within(rule), narrowed_from=rule.version) for source, rule in rules.items()}

    def _asked(self) -> list[tuple[Viewer, Shows, str]]:
        """Return what is wished to be seen by whom, and how it travels."""
        found: list[tuple[Viewer, Shows, str]] = []
        if self.city == "clear":
            found.append(("tier", "statistic", "clear"))
        if "masked" in (self.city, self.region):
            found.append(("tier", "sum", "masked"))
        return found

    def _within(self, rule: Requirement) -> Requirement:
        if self.city == "clear":
            return replace(rule, mechanisms=rule.mechanisms - {"masked"})
        if "masked" not in (self.city, self.region):
            return rule
        is_open = rule.sees["statistic"] == "region" and "clear" in rule.mechanisms
        used = rule.mechanisms & set(PROTECTIONS) if is_open else rule.mechanisms
        if self.region == "masked":
            return replace(rule, mechanisms=used - {"clear"})
        return replace(rule, sees={**rule.sees, "statistic": "nobody"}, mechanisms=used)


AS_REQUIRED = Wish()
"""The default: whatever is cheapest of what all sources permit."""


def _unknown(where: Message, told: str, known: str) -> Refusal:
    return Refusal(
        "E-WISH-UNKNOWN",
        Message(f"{where.zh}没有可选的保护方式“{told}”。", f"There is no protection {told!r} to wish for {where.en}."),
        Message(f"可选：{known}。", f"Known: {known}."),
    )


def _contrary() -> Refusal:
    return Refusal(
        "E-WISH-CONTRARY",
        Message(
            "城市看得到每家医院、统筹区却只见合计，这样没有意义。",
            "That cities see every hospital and the region sees sums alone hides nothing that matters.",
        ),
        Message("请同时对医院到城市使用 masked 或 required。", "Wish masked, or required, from hospital to city."),
    )
