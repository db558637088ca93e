"""What a release does to privacy, described so that it can be kept, compared and added up.

Privacy is of one record exchanged for another, and every noise is counted in the sensitivity to that exchange. An event
says nothing of who released what: that is the ledger's. The shape is that of dp-accounting's ``DpEvent``.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, cast

from headwater.errors import Message, Refusal
from headwater.federation.wire import travels

__all__ = [
    "KINDS",
    "Approximate",
    "Composed",
    "Concentrated",
    "DiscreteGaussian",
    "Event",
    "Gaussian",
    "Laplace",
    "NonPrivate",
    "Repeated",
    "Skellam",
    "Subsampled",
    "digest",
    "event_of",
    "from_json",
    "kinds",
    "to_json",
]

_DEEPEST = 20
_MOST = 10**9


@dataclass(frozen=True)
class Gaussian:
    """Gaussian noise; ``noise``: its standard deviation in L2 sensitivities."""

    noise: float

    def __post_init__(self) -> None:
        _positive(self, "noise")


@dataclass(frozen=True)
class Laplace:
    """Laplace noise; ``noise``: its scale in L1 sensitivities, so the release is (1 / noise)-private."""

    noise: float

    def __post_init__(self) -> None:
        _positive(self, "noise")


@dataclass(frozen=True)
class DiscreteGaussian:
    """Discrete Gaussian noise on whole numbers, in any dimension; ``noise`` as in ``Gaussian``.

    It is as concentrated as the Gaussian (Canonne, Kamath and Steinke 2020, theorem 4). Of a sum of such noises that is
    a little less true: describe it by ``Concentrated``.
    """

    noise: float

    def __post_init__(self) -> None:
        _positive(self, "noise")


@dataclass(frozen=True)
class Skellam:
    """Skellam noise on whole numbers, in any dimension (Agarwal, Kairouz and Liu 2021, theorem 3.5).

    Parameters
    ----------
    variance : of the noise of one coordinate; sums of Skellam noises are Skellam noises
    l2, l1 : sensitivities
    """

    variance: float
    l2: float
    l1: float

    def __post_init__(self) -> None:
        _positive(self, "variance", "l2", "l1")


@dataclass(frozen=True)
class Concentrated:
    """Whatever is ρ-zero-concentrated differentially private (Bun and Steinke 2016)."""

    rho: float

    def __post_init__(self) -> None:
        _positive(self, "rho")


@dataclass(frozen=True)
class Approximate:
    """Whatever is (ε, δ)-private and nothing more is known; δ may be 0."""

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        _positive(self, "epsilon")
        if self.delta != 0:
            _positive(self, "delta")
        object.__setattr__(self, "delta", float(self.delta))
        if self.delta >= 1:
            raise _out_of_range("approximate", "delta")


@dataclass(frozen=True)
class Subsampled:
    """Gaussian noise over records each of which takes part with probability ``rate``, unknown to who looks on."""

    event: Gaussian
    rate: float

    def __post_init__(self) -> None:
        _positive(self, "rate")
        if not isinstance(self.event, Gaussian):
            raise _unknown(f"subsampled {type(self.event).__name__}")
        if self.rate > 1:
            raise _out_of_range("subsampled", "rate")


@dataclass(frozen=True)
class Composed:
    """Several releases, each of which may have been chosen after the ones before it were seen."""

    events: "tuple[Event, ...]"

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        for event in self.events:
            _require_event(event)


@dataclass(frozen=True)
class Repeated:
    """The same kind of release several times, with fresh noise."""

    event: "Event"
    times: int

    def __post_init__(self) -> None:
        _require_event(self.event)
        if isinstance(self.times, bool) or not isinstance(self.times, int) or not 0 < self.times <= _MOST:
            raise _out_of_range("repeated", "times")


@dataclass(frozen=True)
class NonPrivate:
    """A release without noise: it costs infinity."""


Event: TypeAlias = (
    Gaussian
    | Laplace
    | DiscreteGaussian
    | Skellam
    | Concentrated
    | Approximate
    | Subsampled
    | Composed
    | Repeated
    | NonPrivate
)

KINDS: Mapping[str, Callable[..., Event]] = {
    "approximate": Approximate,
    "composed": Composed,
    "concentrated": Concentrated,
    "discrete_gaussian": DiscreteGaussian,
    "gaussian": Gaussian,
    "laplace": Laplace,
    "non_private": NonPrivate,
    "repeated": Repeated,
    "skellam": Skellam,
    "subsampled": Subsampled,
}
"""Events by the name that JSON and requirements call them."""

_NAMES = {made: name for name, made in KINDS.items()}

for _name, _made in KINDS.items():
    travels(f"event_{_name}")(cast(type, _made))


def kinds(event: Event) -> frozenset[str]:
    """Return the names of the mechanisms of which an event consists."""
    if isinstance(event, Composed):
        return frozenset().union(*(kinds(part) for part in event.events))
    if isinstance(event, Repeated | Subsampled):
        return kinds(event.event)
    return frozenset({_NAMES[type(event)]})


def to_json(event: Event) -> str:
    """Return the one text of an event: keys sorted, no spaces, numbers in their shortest form.

    >>> to_json(Repeated(Gaussian(4), 12))
    '{"event":{"kind":"gaussian","noise":4.0},"kind":"repeated","times":12}'
    """
    return json.dumps(_plain(event), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(text: str) -> Event:
    """Return the event that a text describes.

    Raises
    ------
    Refusal
        ``E-EVENT-UNKNOWN`` when nothing is known of such a release, ``E-EVENT-RANGE`` when its numbers cannot be
    """
    try:
        return event_of(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _unknown(text[:80]) from error


def event_of(plain: Any, *, depth: int = 0) -> Event:
    """Return the event of what JSON holds; see :func:`from_json`."""
    made = KINDS.get(str(plain.get("kind"))) if isinstance(plain, dict) and depth < _DEEPEST else None
    if made is None or set(plain) - {"kind"} != {field.name for field in fields(made)}:  # type: ignore[arg-type]
        raise _unknown(str(plain)[:80])
    told = {name: value for name, value in plain.items() if name != "kind"}
    if "event" in told:
        told["event"] = event_of(told["event"], depth=depth + 1)
    if "events" in told:
        if not isinstance(told["events"], list):
            raise _unknown(str(plain)[:80])
        told["events"] = tuple(event_of(part, depth=depth + 1) for part in told["events"])
    return made(**told)


def digest(event: Event) -> str:
    """Return the SHA-256 of the event's text."""
    return hashlib.sha256(to_json(event).encode()).hexdigest()


def _plain(event: Event) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": _NAMES[type(event)]}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, tuple):
            plain[field.name] = [_plain(part) for part in value]
        else:
            plain[field.name] = value if isinstance(value, int | float) else _plain(value)
    return plain


def _positive(event: Any, *names: str) -> None:
    """Make the fields floats; what is not a finite number above 0 is refused."""
    for name in names:
        value = getattr(event, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _out_of_range(_NAMES[type(event)], name)
        object.__setattr__(event, name, float(value))
        if not (math.isfinite(value) and value > 0):
            raise _out_of_range(_NAMES[type(event)], name)


def _require_event(event: object) -> None:
    if type(event) not in _NAMES:
        raise _unknown(type(event).__name__)


def _unknown(told: str) -> Refusal:
    return Refusal(
        "E-EVENT-UNKNOWN",
        Message(f"不认识的发布事件：{told}。", f"Nothing is known of such a release: {told}."),
        Message(f"可用：{'、'.join(KINDS)}。", f"Known: {', '.join(KINDS)}."),
    )


def _out_of_range(kind: str, name: str) -> Refusal:
    return Refusal(
        "E-EVENT-RANGE",
        Message(f"发布事件 {kind} 的 {name} 不合法。", f"The {name} of a release of kind {kind} cannot be."),
        Message("应为有限正数；概率不超过 1。", "It must be finite and above 0; probabilities are at most 1."),
    )
