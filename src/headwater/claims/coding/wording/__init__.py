"""Names in Latin words: codes learned from many hospitals' own names, where each writes in shorthand of its own."""

from headwater.claims.coding.wording.wording import Pairs, Wording, learnable

__all__ = ["Pairs", "Wording", "learnable"]
