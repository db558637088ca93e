"""Doctor: is this installation in order, and if not, what mends it."""

from headwater.adapters.doctor import PROBES, Finding
from headwater.adapters.home import Home

__all__ = ["doctor"]


def doctor(home: Home) -> list[Finding]:
    """Run every probe; one that finds something bad keeps none of the others from looking."""
    return [probe(home) for probe in PROBES.values()]
