"""Models: which versions there are, which of them serves, and what each was made from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from headwater.adapters import knowledge, lake, mlflow, versions
from headwater.adapters.home import Home
from headwater.adapters.versions import Line, Member, Succession
from headwater.errors import Message, Refusal

__all__ = ["Detail", "Listed", "detail", "listed", "only", "parsed"]


@dataclass(frozen=True)
class Listed:
    """A version in its list.

    Parameters
    ----------
    withdrawn : of whom records were withdrawn since it was made, so that it may not serve again
    """

    line: Line
    serves: bool
    withdrawn: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has, but for times."""
        return {**asdict(self.line), "label": self.line.label, "serves": self.serves, "withdrawn_from": self.withdrawn}


@dataclass(frozen=True)
class Detail:
    """A version, its sources, and when it came to serve."""

    listed: Listed
    members: tuple[Member, ...]
    served: tuple[Succession, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has, but for times."""
        told = {"members": [asdict(one) for one in self.members], "served": [asdict(one) for one in self.served]}
        return {**self.listed.to_dict(), **told}


def listed(home: Home, *, name: str | None = None) -> list[Listed]:
    """Return all versions, or those of one registered model, the newest first."""
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        return _marked(home, connection, versions.lines(connection, name=name))


def detail(home: Home, label: str) -> Detail:
    """Return one version."""
    name, number = parsed(home, label)
    with lake.connect(home) as connection:
        (found,) = _marked(home, connection, [versions.line(connection, name, number)])
        served = tuple(one for one in versions.served(connection, name) if one.version == number)
        return Detail(found, tuple(versions.members(connection, name, number)), served)


def only(home: Home) -> str:
    """Return the name of the only registered model; where there are several, one must be named."""
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        names = sorted({line.name for line in versions.lines(connection)})
    if len(names) != 1:
        known = "、".join(names) or "–", ", ".join(names) or "–"
        raise Refusal(
            "E-MODEL-NAME",
            Message(f"需要指明模型：共有 {len(names)} 个。", f"A model must be named: there are {len(names)}."),
            Message(f"已有：{known[0]}。", f"Known: {known[1]}."),
        )
    return names[0]


def parsed(home: Home, label: str) -> tuple[str, int]:
    """Return name and number of ``name/number``; a number alone is of the only model."""
    name, _, number = label.rpartition("/")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise Refusal(
            "E-VERSION-LABEL",
            Message(f"“{label}”不是 名称/版本号。", f"{label!r} is no NAME/NUMBER."),
            Message("用 headwater model list 查看。", "See headwater model list."),
        )
    return name or only(home), int(number)


def _marked(home: Home, connection: duckdb.DuckDBPyConnection, lines: Sequence[Line]) -> list[Listed]:
    serving = {name: mlflow.champion(home, name) for name in {line.name for line in lines}}
    numbers = {name: version.number if version else None for name, version in serving.items()}
    return [
        Listed(line, numbers[line.name] == line.version, versions.withdrawn_from(connection, line)) for line in lines
    ]
