"""What the fields of one row may not say together: conditions that no field shows alone."""

from collections.abc import Collection

__all__ = ["BIRTH", "SEX", "contradictions"]

BIRTH = "__birth"
"""Name of the column that holds the date of birth inside an identity number; it is compared and never written."""

SEX = "__sex"
"""The same for the sex."""

# Field, code, condition; a condition counts only where the row has all the columns it names.
_YEARS = (
    "date_diff('year', brdy, CAST(begntime AS DATE)) "
    "- CAST(strftime(begntime, '%m%d') < strftime(brdy, '%m%d') AS INTEGER)"
)
_CONDITIONS: dict[str, tuple[tuple[str, str, str, tuple[str, ...]], ...]] = {
    # Days of stay are left out: in real files they are days billed or covered, and differ from the times by design.
    "front_page": (
        ("endtime", "E-STAY-ORDER", "endtime < begntime", ("endtime", "begntime")),
        ("brdy", "E-AGE-CONFLICT", "brdy > CAST(begntime AS DATE)", ("brdy", "begntime")),
        # Ages are counted to admission or discharge, in full years or by the calendar: one year apart is usual.
        ("age", "E-AGE-CONFLICT", f"abs(age - ({_YEARS})) > 1", ("age", "brdy", "begntime")),
        ("brdy", "E-BIRTH-CONFLICT", f"brdy <> {BIRTH}", ("brdy", BIRTH)),
        ("gend", "E-SEX-CONFLICT", f"gend IN ('1', '2') AND gend <> {SEX}", ("gend", SEX)),
    ),
    "fee_line": (
        (
            "det_item_fee_sumamt",
            "E-AMOUNT-PRODUCT",
            # Either direction of rounding to the cent is right; a cent more is not.
            "abs(CAST(cnt AS DECIMAL(18,4)) * CAST(pric AS DECIMAL(18,6)) - det_item_fee_sumamt) >= 0.01",
            ("det_item_fee_sumamt", "cnt", "pric"),
        ),
    ),
    "settlement": (
        (
            "medfee_sumamt",
            "E-REVERSAL-SIGN",
            "refd_setl_flag = '1' AND medfee_sumamt > 0",
            ("medfee_sumamt", "refd_setl_flag"),
        ),
    ),
}


def contradictions(entity: str, present: Collection[str]) -> list[tuple[str, str, str]]:
    """Return (field, code, SQL condition) of everything that the present columns of an entity can contradict."""
    return [
        (field, code, condition)
        for field, code, condition, needed in _CONDITIONS.get(entity, ())
        if set(needed) <= set(present)
    ]
