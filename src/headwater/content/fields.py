"""Published fields from the yml of the marts: a new mart that declares its columns joins by itself."""

from pathlib import Path

import yaml

from headwater.claims.indicators import Catalogue, catalogue

__all__ = ["read_fields"]


def read_fields(project: Path) -> Catalogue:
    """Return what the marts of a project publish.

    Raises
    ------
    Refusal
        where a column is declared wrongly
    """
    files = sorted((project / "dbt_project" / "models" / "marts").rglob("fct_*.yml"))
    return catalogue(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for file in files)
