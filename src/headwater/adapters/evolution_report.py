"""The evolution report: what every source was worth over time, as single-file pages in Chinese and English."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from headwater.adapters.home import Home
from headwater.adapters.page import page
from headwater.adapters.report import LANGUAGES, ORIGINS, Language, own_folder_name
from headwater.errors import Message
from headwater.evolution import ACTIONS, Action

__all__ = ["Line", "Panel", "Story", "Told", "folder", "panel", "render", "write"]

MODELS = {
    "evolving": Message("演化模型", "evolving model"),
    "static": Message("不变模型", "model that never changed"),
    "target_only": Message("仅用医保局自有样本", "bureau's records alone"),
}
"""The models whose next month's errors are told."""

_WIDTH, _HEIGHT, _EDGE = 300.0, 90.0, 6.0


@dataclass(frozen=True)
class Line:
    """One source in one month.

    Parameters
    ----------
    value : in R² on ln(cost); None when it delivered nothing
    state : ``member``, ``trial`` or ``absent``
    action : as in ``headwater.evolution.Action``
    reason : why
    onset, size : of a change that was noticed in this month
    """

    month: date
    source: str
    value: float | None
    state: str
    action: Action
    reason: Message
    onset: date | None = None
    size: float | None = None


@dataclass(frozen=True)
class Told:
    """A registered version: the month it belongs to, its label, its members, and whether it served at once."""

    month: date
    label: str
    members: tuple[str, ...]
    is_champion: bool


@dataclass(frozen=True)
class Story:
    """All that one replay has to tell.

    Parameters
    ----------
    origins : what the region's data are, of ``real``, ``synthetic`` and ``converted``
    months : those replayed
    lines : by month and source
    errors : month to the root mean squared errors of ln(cost) in it, by name in ``MODELS``, by models that ended before
    memory : deliveries that a model remembers of each source
    span : deliveries that are valued at once
    steps : merges and subtractions, each found equal to building anew
    bytes_by_source : exchanged with each over all months
    """

    run: str
    at: datetime
    region: str
    origins: tuple[str, ...]
    snapshot: int
    months: tuple[date, ...]
    lines: tuple[Line, ...]
    errors: Mapping[date, Mapping[str, float]]
    versions: tuple[Told, ...]
    memory: int
    span: int
    steps: int
    bytes_by_source: Mapping[str, int]

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, by name."""
        return tuple(sorted({line.source for line in self.lines}))

    @property
    def actions(self) -> tuple[Line, ...]:
        """The lines in which something was done with a source."""
        return tuple(line for line in self.lines if line.action not in ("keep", "wait"))

    @property
    def changes(self) -> tuple[Line, ...]:
        """The lines in which a change of value was noticed."""
        return tuple(line for line in self.lines if line.onset is not None)

    def of(self, source: str) -> tuple[Line, ...]:
        """Return the lines of one source."""
        return tuple(line for line in self.lines if line.source == source)

    def mean_error(self, model: str) -> float:
        """Return the mean over the months of a model's next month's error."""
        found = [errors[model] for errors in self.errors.values()]
        return sum(found) / len(found) if found else float("nan")


@dataclass(frozen=True)
class Panel:
    """The geometry of one drawing, 300 by 90: a zero line, curves that break where nothing came, and marks."""

    zero: float | None
    curves: Mapping[str, tuple[str, ...]]
    marks: tuple[tuple[float, float, str], ...]
    low: float
    high: float


def folder(home: Home, run: str) -> Path:
    """Return where the report of a run lies."""
    return home.reports / "evolution" / own_folder_name(run)


def write(home: Home, story: Story) -> Path:
    """Write ``zh.html`` and ``en.html`` and return their folder."""
    place = folder(home, story.run)
    place.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        (place / f"{language}.html").write_text(render(story, language), encoding="utf-8")
    return place


def render(story: Story, language: Language) -> str:
    """Return one page in one language."""
    return page(
        "evolution.html",
        language,
        story=story,
        panels={source: _source_panel(story, source) for source in story.sources},
        errors=_error_panel(story),
        models=MODELS,
        states=_STATES,
        actions=ACTIONS,
        origins=[ORIGINS[origin] for origin in story.origins],
    )


_STATES = {
    "member": Message("在用", "member"),
    "trial": Message("观察", "on trial"),
    "absent": Message("缺席", "absent"),
}


def panel(
    series: Mapping[str, Sequence[float | None]], *, zero: bool, marks: Iterable[tuple[int, float, str]] = ()
) -> Panel:
    """Scale series of equal length into the drawing.

    >>> panel({"a": [0.0, None, 1.0]}, zero=False).curves["a"]
    ('6.0,84.0', '294.0,6.0')
    """
    known = [value for values in series.values() for value in values if value is not None]
    low, high = min([*known, *([0.0] if zero else [])]), max([*known, *([0.0] if zero else [])])
    length = max(len(values) for values in series.values())

    def x(place: int) -> float:
        return round(_EDGE + (_WIDTH - 2 * _EDGE) * (place / (length - 1) if length > 1 else 0.5), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * ((value - low) / (high - low) if high > low else 0.5), 1)

    def curve(values: Sequence[float | None]) -> tuple[str, ...]:
        pieces: list[list[str]] = [[]]
        for place, value in enumerate(values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append(f"{x(place)},{y(value)}")
        return tuple(" ".join(piece) for piece in pieces if piece)

    return Panel(
        zero=y(0.0) if zero else None,
        curves={name: curve(values) for name, values in series.items()},
        marks=tuple((x(place), y(value), kind) for place, value, kind in marks),
        low=low,
        high=high,
    )


def _source_panel(story: Story, source: str) -> Panel:
    lines = story.of(source)
    marks = [(k, line.value, line.action) for k, line in enumerate(lines) if line in story.actions]
    marks += [(k, line.value, "change") for k, line in enumerate(lines) if line.onset is not None]
    present = [(place, value, kind) for place, value, kind in marks if value is not None]
    return panel({source: [line.value for line in lines]}, zero=True, marks=present)


def _error_panel(story: Story) -> Panel | None:
    if not story.errors:
        return None
    return panel({name: [errors[name] for errors in story.errors.values()] for name in MODELS}, zero=False)
