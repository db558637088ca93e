"""headwater (源汇): value, join and follow the sources of a region's claim data."""

__all__ = ["__version__"]

__version__ = "0.1.0"
