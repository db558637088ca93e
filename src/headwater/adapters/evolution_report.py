"""The evolution report: what every source was worth over time, as single-file pages in Chinese and English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from headwater.adapters.evolution_picture import Bar, Panel, Seen, bars, panel, strip
from headwater.adapters.home import Home
from headwater.adapters.page import page
from headwater.adapters.report import LANGUAGES, ORIGINS, Language, own_folder_name
from headwater.errors import Message
from headwater.evolution import ACTIONS, COUNTED, Action, Standing

__all__ = ["Month", "SourceMonth", "Story", "folder", "render", "write"]

MODELS = {
    "evolving": Message("演化模型", "evolving model"),
    "static": Message("不变模型", "model that never changed"),
    "target_only": Message("仅用医保局自有样本", "bureau's records alone"),
}
"""The models whose errors are told."""

_STATES = {
    "present": Message("在线", "present"),
    "outage": Message("中断", "outage"),
    "leaving": Message("可能退出", "leaving"),
    "closed": Message("已关闭", "closed"),
    "resting": Message("未询问", "not asked"),
}
_STANDINGS: Mapping[Standing, Message] = {
    "member": Message("在用", "member"),
    "probation": Message("察看", "on probation"),
    "trial": Message("试用", "on trial"),
    "demoted": Message("已降级", "demoted"),
    "removed": Message("已移除", "removed"),
}
_BUDGETS = {
    "labour": Message("人力（小时）", "labour (hours)"),
    "bytes_next": Message("下期询问（字节）", "asking in the next period (bytes)"),
    "epsilon_next": Message("下期询问（ε）", "asking in the next period (ε)"),
}
_LIMITS = {"labour": "labour_budget", "bytes_next": "bytes_budget", "epsilon_next": "epsilon_budget"}
_PANELS = 24
"""Sources with a panel of their own: those with the most to tell. The picture of all and the table have every one."""
_ACTIONS_SHOWN = 200


@dataclass(frozen=True)
class SourceMonth:
    """One source in one month.

    Parameters
    ----------
    value : in R² on ln(cost); None when there is none
    state : presence, or ``resting`` where it was not asked
    standing : afterwards
    unapproved : standing that holds until a person approves the other; None where nobody needs to
    onset, size, confidence : of a change that was noticed in this month
    """

    month: date
    source: str
    value: float | None
    state: str
    standing: Standing
    action: Action
    reason: Message
    unapproved: Standing | None = None
    onset: date | None = None
    size: float | None = None
    confidence: float | None = None

    @staticmethod
    def of(row: Mapping[str, Any]) -> "SourceMonth":
        """Return what a row of the lake's table ``evolution`` tells."""
        same = ("month", "source", "value", "state", "standing", "action", "unapproved")
        changed = {name: row[f"change_{name}"] for name in ("onset", "size", "confidence")}
        return SourceMonth(
            **{name: row[name] for name in same}, reason=Message(row["reason_zh"], row["reason_en"]), **changed
        )

    @property
    def is_member(self) -> bool:
        """Whether the source is in the model afterwards."""
        return (self.unapproved or self.standing) in COUNTED

    @property
    def is_absent(self) -> bool:
        """Whether it was asked and did not answer."""
        return self.value is None and self.state != "resting"

    @property
    def is_told(self) -> bool:
        """Whether something was done; what waits for a person was not."""
        return self.action not in ("keep", "wait") and self.unapproved is None


@dataclass(frozen=True)
class Month:
    """One month of the model.

    Parameters
    ----------
    errors : root mean squared errors of ln(cost) in it, by name in ``MODELS``, of models that ended before it
    weight : how often the bureau's own records count
    steps : merges and subtractions, each found equal to building anew
    asked, bytes : sources asked, and bytes exchanged with all
    spent : of budgets, by name
    limits : of budgets, by the same names; None where there is none
    version : label of the version registered, and whether it served at once
    """

    month: date
    errors: Mapping[str, float]
    weight: int
    members: tuple[str, ...]
    steps: int
    asked: int
    bytes: int
    spent: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float | None] = field(default_factory=dict)
    version: str | None = None
    is_champion: bool | None = None

    @staticmethod
    def of(row: Mapping[str, Any]) -> "Month":
        """Return what a row of the lake's table ``evolution_month`` tells."""
        same = ("month", "weight", "steps", "asked", "bytes")
        return Month(
            **{name: row[name] for name in same},
            members=tuple(row["members"]),
            errors={name: row[f"rmse_{name}"] for name in MODELS if row[f"rmse_{name}"] is not None},
            spent={name: row[name] for name in _BUDGETS},
            limits={name: row[limit] for name, limit in _LIMITS.items()},
            version=row.get("version"),
            is_champion=row.get("is_champion"),
        )


@dataclass(frozen=True)
class Story:
    """All that an evolution has to tell until now.

    Parameters
    ----------
    run, at : that followed it last
    origins : what the region's data are, of ``real``, ``synthetic`` and ``converted``
    lines : by month and source
    dry : whether the last months are only what would happen
    """

    run: str
    at: datetime
    region: str
    origins: tuple[str, ...]
    snapshot: int
    months: tuple[Month, ...]
    lines: tuple[SourceMonth, ...]
    dry: bool = False

    @cached_property
    def by_source(self) -> Mapping[str, tuple[SourceMonth, ...]]:
        """The lines of every source in order of months, by name."""
        found: dict[str, list[SourceMonth]] = {
            line.source: [] for line in sorted(self.lines, key=lambda line: line.source)
        }
        for line in self.lines:
            found[line.source].append(line)
        return {source: tuple(lines) for source, lines in found.items()}

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, by name."""
        return tuple(self.by_source)

    @property
    def actions(self) -> tuple[SourceMonth, ...]:
        """The lines in which something was done with a source."""
        return tuple(line for line in self.lines if line.is_told)

    def actions_in(self, months: Sequence[date]) -> tuple[SourceMonth, ...]:
        """Return the actions of some months."""
        return tuple(line for line in self.actions if line.month in months)

    @property
    def proposals(self) -> tuple[SourceMonth, ...]:
        """What the last month proposes and a person must approve."""
        last = self.months[-1].month if self.months else None
        return tuple(line for line in self.lines if line.month == last and line.unapproved is not None)

    @property
    def changes(self) -> tuple[SourceMonth, ...]:
        """The lines in which a change of value was noticed."""
        return tuple(line for line in self.lines if line.onset is not None)

    @property
    def judged(self) -> tuple[Month, ...]:
        """The months whose errors are known."""
        return tuple(month for month in self.months if month.errors)

    def mean_error(self, model: str) -> float | None:
        """Return the mean over the months of a model's next month's error; None before any month could be judged."""
        found = [month.errors[model] for month in self.judged]
        return sum(found) / len(found) if found else None


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
    months = [month.month for month in story.months]
    ordered = sorted(story.by_source, key=lambda source: _place(story, source))
    shown = sorted(story.by_source, key=lambda source: _interest(story, source))[:_PANELS]
    return page(
        "evolution.html",
        language,
        story=story,
        strip=strip(months, {source: _seen(story, source) for source in ordered}),
        panels={source: _source_panel(story, source, months) for source in ordered if source in set(shown)},
        table={source: {line.month: line for line in story.by_source[source]} for source in ordered},
        months=months,
        errors=_error_panel(story),
        budgets=_budgets(story),
        told=story.actions[::-1][:_ACTIONS_SHOWN],
        models=MODELS,
        states=_STATES,
        standings=_STANDINGS,
        actions=ACTIONS,
        origins=[ORIGINS[origin] for origin in story.origins],
    )


def _place(story: Story, source: str) -> tuple[int, str]:
    """Return where a source stands in the picture: by its standing now, then by name."""
    last = story.by_source[source][-1]
    return list(_STANDINGS).index(last.unapproved or last.standing), source


def _interest(story: Story, source: str) -> tuple[int, str]:
    lines = story.by_source[source]
    return -sum(line.is_told or line.onset is not None for line in lines), source


def _seen(story: Story, source: str) -> dict[date, Seen]:
    return {
        line.month: Seen(
            line.value,
            line.state,
            (*(["change"] if line.onset else []), *([line.action] if line.is_told else [])),
            line.is_member,
        )
        for line in story.by_source[source]
    }


def _source_panel(story: Story, source: str, months: Sequence[date]) -> Panel:
    lines = {line.month: line for line in story.by_source[source]}
    places = {month: place for place, month in enumerate(months)}
    values = [lines[month].value if month in lines else None for month in months]
    absent = [month in lines and lines[month].is_absent for month in months]
    marks: list[tuple[int, float | None, str]]
    marks = [(places[m], line.value, line.action) for m, line in lines.items() if line.is_told]
    marks += [(places[m], line.value, "change") for m, line in lines.items() if line.onset]
    onsets = [sum(at < line.onset for at in months) - 0.5 for line in lines.values() if line.onset]
    return panel({source: values}, zero=True, absent=absent, onsets=onsets, marks=marks)


def _error_panel(story: Story) -> Panel | None:
    if not story.judged:
        return None
    return panel({name: [month.errors[name] for month in story.judged] for name in MODELS}, zero=False)


def _budgets(story: Story) -> list[tuple[Message, tuple[Bar, ...], float | None, float, float | None]]:
    """Return name, bars, height of the limit's line, value at the head, and limit, of every budget that is used."""
    found = []
    for name, words in _BUDGETS.items():
        used = [month.spent.get(name, 0.0) for month in story.months]
        limit = story.months[-1].limits.get(name) if story.months else None
        if any(used) or limit is not None:
            drawn, line, head = bars(used, limit)
            found.append((words, drawn, line, head, limit))
    return found
