"""Which groups of a plan a stay can reach at all, with a stay that does, or with what takes its stays away."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import pyarrow as pa

from headwater.claims.grouping.nearing import as_stays, targets
from headwater.claims.grouping.plan import Plan
from headwater.claims.grouping.solving import Stay, Target, applied, ways

__all__ = ["reach"]

# Codes that no plan knows: some groups ask only for an operation, some only for one that is not the first.
_NOBODY = (Stay(("?",), (), {}), Stay(("?",), ("?",), {}))
_FEW, _MANY = 6, 64
_KEPT = 4_000


def reach(plan: Plan) -> pa.Table:
    """Try to land in every DRG of a plan.

    Returns
    -------
    pyarrow.Table
        Row for row of ``plan.drgs`` its ``drg``, whether it was ``reached``, a stay that lands there (``diagnoses``,
        ``operations`` and the numbers, null if none does) and ``taken_by``: the DRG that takes most of the stays
        which the rules of this one admit, because it is tried before; empty if the rules admit none.
    """
    aims: dict[str, list[Target]] = {}
    for target in targets(plan.compiled):
        aims.setdefault(target.drg.code, []).append(target)
    witnesses: dict[str, Stay] = {}
    takers: dict[str, str] = {}
    for tries in (_FEW, _MANY):
        for code in aims:
            if code not in witnesses:
                _try(plan, code, aims[code], tries, witnesses, takers)
    codes = plan.drgs["code"].to_pylist()
    stays = as_stays([witnesses.get(code, Stay((), (), {})) for code in codes])
    found = {"drg": codes, "reached": [code in witnesses for code in codes]}
    return pa.table(
        {**found, "taken_by": [takers.get(code, "") for code in codes]} | {n: stays[n] for n in stays.column_names}
    )


def _try(
    plan: Plan, code: str, aims: Sequence[Target], tries: int, witnesses: dict[str, Stay], takers: dict[str, str]
) -> None:
    """Group stays that the rules of the DRG admit; whatever they land in is reached."""
    stays = list(_admitted(plan, aims, tries))
    landed = plan.group(as_stays(stays))["drg"].to_pylist() if stays else []
    for stay, into in zip(stays, landed, strict=True):
        if into:
            witnesses.setdefault(into, stay)
    taken = Counter(into for into in landed if into)
    takers[code] = "" if code in witnesses or not taken else taken.most_common(1)[0][0]


def _admitted(plan: Plan, aims: Sequence[Target], tries: int) -> Iterator[Stay]:
    count = 0
    for target, nobody in product(aims, _NOBODY):
        for edits in ways(plan.compiled, target, nobody, tries):
            yield applied(nobody, edits)
            count += 1
            if count == _KEPT:
                return
