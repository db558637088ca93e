"""Text from delivered files as a terminal may show it."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from headwater.claims.landing import HIDDEN

__all__ = ["listing", "shown"]


def listing(*headings: str, numbers: int = 0) -> Table:
    """Return a table that fits a terminal of 80 columns: no frame, and headings in two lines, ``some English 中文``.

    Parameters
    ----------
    numbers : how many of the last columns are numbers, which stand flush right
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        is_number = place >= len(headings) - numbers
        table.add_column("\n".join(heading.rsplit(" ", 1)), justify="right" if is_number else "left", overflow="fold")
    return table


def shown(text: str) -> str:
    """Return text that is neither markup for rich nor a command to the terminal."""
    return escape(HIDDEN.sub("\ufffd", text))
