"""Text from delivered files as a terminal may show it."""

from rich.markup import escape

from headwater.claims.landing import HIDDEN

__all__ = ["shown"]


def shown(text: str) -> str:
    """Return text that is neither markup for rich nor a command to the terminal."""
    return escape(HIDDEN.sub("\ufffd", text))
