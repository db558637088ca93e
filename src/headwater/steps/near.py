"""Near: what would have to differ for a stay to land in another group."""

from dataclasses import asdict, dataclass

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.claims.grouping.nearing import near as near_groups
from headwater.errors import Message
from headwater.steps.explain import stay_of
from headwater.steps.holdings import in_force

__all__ = ["NearGroup", "NearStay", "near"]


@dataclass(frozen=True)
class NearGroup:
    """A group that a stay could have landed in, and the least that would have to differ."""

    drg: str
    name: str
    would: Message


@dataclass(frozen=True)
class NearStay:
    """A stay, the group it is in (None without one), and the nearest others, the fewest changes first."""

    stay_id: str
    drg: str | None
    groups: tuple[NearGroup, ...]

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has."""
        return asdict(self)


def near(home: Home, stay_id: str, *, most: int = 3) -> NearStay:
    """Ask what would have to differ under the plan that holds; a stay that no plan is asked about is near to nothing.

    Raises
    ------
    Refusal
        ``E-STAY-UNKNOWN`` when the front-page mart has no such stay
    """
    rules = in_force(home)
    with lake.connect(home, threads=1) as connection:
        row, plan = stay_of(home, connection, rules, stay_id)
    if plan is None or not row["is_valid"][0].as_py():
        return NearStay(stay_id, None, ())
    asked = row.select(["diagnoses", "operations", "gend", "age", "age_days", "ipt_days", "dscg_way"])
    found = near_groups(plan, asked, most=most).to_pylist()
    names = dict(zip(*(plan.drgs[name].to_pylist() for name in ("code", "name")), strict=True))
    groups = tuple(NearGroup(one["drg"], names.get(one["drg"], ""), Message(one["zh"], one["en"])) for one in found)
    return NearStay(stay_id, row["drg"][0].as_py(), groups)
