"""Small tables of our own: words, units and forms as hospitals write them."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources

__all__ = ["rows"]


@cache
def rows(table: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one packaged table by its stem."""
    text = resources.files("headwater.claims.coding.tables").joinpath(f"{table}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
