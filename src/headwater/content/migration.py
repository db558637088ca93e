"""Which columns a step of the flow passes through unchanged, and which it cleans by a rule of its own."""

from dataclasses import dataclass

from headwater.claims.canonical import ENTITIES

__all__ = ["STEPS", "Step"]


@dataclass(frozen=True)
class Step:
    """One entity on one step of the flow.

    Parameters
    ----------
    name : ``raw-staging`` or ``staging-marts``
    before, after : relations; columns that both have are compared
    key : columns that name a row on both sides
    cleaned : columns that the step may change; all others it must pass through
    """

    name: str
    entity: str
    before: str
    after: str
    key: tuple[str, ...]
    cleaned: frozenset[str] = frozenset()


_CLEANED = {"service_item": frozenset({"medins_list_codg"})}

STEPS: tuple[Step, ...] = (
    *(
        Step(
            "raw-staging",
            name,
            f"raw.{name}",
            f"staging.stg_claims__{name}",
            ("source_id", "batch_id", "row_no"),
            _CLEANED.get(name, frozenset()),
        )
        for name in ENTITIES
        if name != "hospital"
    ),
    Step("staging-marts", "front_page", "staging.stg_claims__front_page", "marts.fct_stay", ("stay_id",)),
    Step("staging-marts", "fee_line", "staging.stg_claims__fee_line", "marts.fct_fee_line", ("stay_id", "feedetl_sn")),
)
"""Every comparison, in the order of the flow."""
