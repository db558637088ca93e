"""What is wrong with a source contract, all of it at once: by itself, and against the files it is to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwater.claims.reviewing.delivered import delivered_findings
from headwater.claims.reviewing.finding import Finding
from headwater.claims.reviewing.structure import parsed_tables, structure_findings

__all__ = ["Finding", "review"]


def review(source: Mapping[str, Any], *, where: str, inbox: Path) -> list[Finding]:
    """Return every finding about one entry of ``sources:``, the worst first.

    Parameters
    ----------
    where : name of the file the entry stands in
    inbox : folder of deliveries, in which the source has its own
    """
    found = structure_findings(source, where)
    meta = (source.get("config") or {}).get("meta")
    folder = meta.get("deliveries") if isinstance(meta, Mapping) else None
    inside = isinstance(folder, str) and not Path(folder).is_absolute() and ".." not in Path(folder).parts
    if inside:
        found += delivered_findings(parsed_tables(source, where), inbox / str(folder), f"{where}: {source.get('name')}")
    order = ("error", "warning", "info")
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.level))
