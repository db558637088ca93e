"""The register of corruptions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headwater.bench.corruptions.month import Month
from headwater.errors import Message
from headwater.registry import Registry

__all__ = ["CORRUPTIONS", "Corruption", "corruption"]

Apply = Callable[[Month, np.random.Generator, float], int]
"""Spoils a month in place, at a strength, and returns how many rows it touched."""


@dataclass(frozen=True)
class Corruption:
    """One way in which a delivery goes wrong.

    Parameters
    ----------
    family : stem of the file it stands in
    strength : share of the rows it touches
    long : needs a source that delivers diagnoses and operations in files of their own
    """

    name: str
    family: str
    title: Message
    strength: float
    long: bool
    apply: Apply


CORRUPTIONS: Registry[Corruption] = Registry("corruption")
"""Every corruption by its name."""


def corruption(zh: str, en: str, *, strength: float = 1.0, long: bool = False) -> Callable[[Apply], Apply]:
    """Register a function under its own name, less the underscore: it is met through the register alone."""

    def decorate(apply: Apply) -> Apply:
        name, family = apply.__name__.removeprefix("_"), apply.__module__.rpartition(".")[2]
        CORRUPTIONS.register(name)(Corruption(name, family, Message(zh, en), strength, long, apply))
        return apply

    return decorate
