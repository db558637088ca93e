"""Formulas that must be refused, each with the place of its fault between the marks ``‹`` and ``›``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.claims.indicators import Catalogue, FormulaRefusal, Indicator, check

__all__ = ["FAULTY", "KNOWN", "Faulty", "is_refused_in_place"]


@dataclass(frozen=True)
class Faulty:
    """A formula that must be refused.

    Parameters
    ----------
    kind : malformed, circular, unit, type, name, scope or injection
    marked : the text with its fault between marks
    part : which text of the indicator that is, ``formula``, ``scope`` or ``unit``
    """

    kind: str
    marked: str
    unit: str = "1"
    part: str = "formula"

    @property
    def text(self) -> str:
        """The text without marks."""
        return self.marked.replace("‹", "").replace("›", "")

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the fault, from 1."""
        before = self.marked[: self.marked.index("‹")]
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    @property
    def piece(self) -> str:
        """The text at fault."""
        return self.marked[self.marked.index("‹") + 1 : self.marked.index("›")]

    @property
    def indicator(self) -> Indicator:
        """An indicator with this text and no other fault."""
        said: dict[str, Any] = {"formula": "count()", "scope": "", "unit": self.unit, self.part: self.text}
        return Indicator(name="here", zh="此处", en="here", owner="bench", **said)


def _known() -> Mapping[str, Indicator]:
    formulas = {"loop_a": "@loop_b + 1", "loop_b": "@loop_c * 2", "loop_c": "@loop_a", "back": "2 * @here"}
    formulas |= {"fine": "sum(drug_amount)"}
    formulas |= {"wide_0": "count(where is_dead) / count() + count(where is_emergency) / count()"}
    formulas |= {f"wide_{k}": f"@wide_{k - 1} * @wide_{k - 1} + @wide_{k - 1}" for k in range(1, 9)}
    units = {"fine": "currency"}
    return {
        name: Indicator(name=name, zh=name, en=name, owner="bench", formula=formula, unit=units.get(name, "1"))
        for name, formula in formulas.items()
    }


KNOWN: Mapping[str, Indicator] = _known()
"""Indicators to which the formulas refer."""


def _faulty() -> Iterator[Faulty]:
    for marked in _MALFORMED:
        yield Faulty("malformed", marked)
    for marked in _CIRCULAR:
        yield Faulty("circular", marked)
    for unit, marked in _UNITS:
        yield Faulty("unit", marked, unit=unit)
    for marked in _TYPES:
        yield Faulty("type", marked)
    for marked in _NAMES:
        yield Faulty("name", marked)
    for marked in _INJECTIONS:
        yield Faulty("injection", marked)
    for marked in _SCOPES:
        yield Faulty("scope", marked, part="scope")
    yield Faulty("unit", "‹CNY/furlong›", part="unit")
    yield Faulty("unit", "‹CNY/USD›", part="unit")


_MALFORMED = (
    "‹›",
    " \n ‹›",
    "sum(drug_amount‹›",
    "sum(drug_amount)‹)›",
    "sum(drug_amount) ‹sum›(stay_days)",
    "sum(drug_amount) / ‹›",
    "‹*› sum(drug_amount)",
    "sum(drug_amount) + ‹/› 2",
    "sum(drug_amount where‹)›",
    "‹sum(where is_dead)›",
    "count(where is_dead ‹is_emergency›)",
    "count(where dscg_way in ‹'5'›)",
    "count(where dscg_way in (‹)›)",
    "count(where dscg_way in ('1', ‹)›)",
    "count(where age_years > 1 year ‹<› 9 year)",
    "count(where age_years is ‹old›)",
    "count(where not‹)›",
    "sum(‹1e5› * drug_amount)",
    "sum(‹0x1F› * drug_amount)",
    "sum(‹1.2.3› * drug_amount)",
    "sum(‹1234567890123456› * drug_amount)",
    "count(where hosp_lv = ‹'3)›",
    "sum(stay.‹)›",
    "‹total(drug_amount)›",
    "‹quantile(stay_days)›",
    "quantile(stay_days, ‹1.5›)",
    "‹if(is_dead, 1)›",
    "‹share_of(drug_amount)›",
    "‹count(distinct stay_days + stay_days)›",
    "‹sum(distinct stay_days)›",
    "sum(drug_amount)\n  + sum(\n    consumable_amount ‹service_amount›)",
    "(" * 64 + "‹(›((((1",
    "‹" + "count() + " * 64 + "1›",
    "count()" + " " * 1993 + "‹" + " " * 7 + "›",
)
_CIRCULAR = (
    "‹@here› + 1",
    "1 + ‹@back›",
    "count() * ‹@loop_a›",
    "@fine / (sum(drug_amount) + 0) + if(count() > 3 stay, ‹@loop_c›, 1)",
)
_UNITS = (
    ("1", "sum(drug_amount) + ‹sum(stay_days)›"),
    ("1", "sum(drug_amount) - ‹count()›"),
    ("1", "sum(drug_amount) > ‹sum(stay_days)›"),
    ("1", "count(where medfee_sumamt > ‹10000›)"),
    ("1", "count(where age_years >= ‹65›)"),
    ("1", "count(where age_years >= ‹65 day›)"),
    ("1", "count(where stay_days in (1 day, ‹2 year›))"),
    ("1", "count(where medfee_sumamt > 10 CNY or fund_pay_sumamt > ‹10 USD›)"),
    ("CNY", "‹sum(stay_days)›"),
    ("CNY", "‹sum(medfee_sumamt) / count()›"),
    ("%", "‹sum(drug_amount)›"),
    ("USD/stay", "sum(medfee_sumamt where medfee_sumamt > ‹5 CNY›) / count()"),
    ("1", "if(count() > 3 stay, sum(drug_amount), ‹sum(stay_days)›)"),
    ("1", "@fine + ‹count()›"),
    ("1", "sum(drug_amount * stay_days + ‹drug_amount›)"),
    ("1", "count(where pric > ‹5 CNY›)"),
    ("1", "sum(5 ‹furlong› * drug_amount)"),
)
_TYPES = (
    "sum(‹hosp_lv›)",
    "sum(‹is_dead›)",
    "count(where ‹stay_days›)",
    "count(where is_dead and ‹stay_days›)",
    "count(where hosp_lv = ‹3›)",
    "count(where is_dead = ‹'5'›)",
    "count(where endtime > ‹'yesterday'›)",
    "count(where endtime > ‹'2026-02-30'›)",
    "count(where ‹hosp_lv› > '2')",
    "count(where stay_days starts ‹'1'›)",
    "count(where -‹is_dead› = 1)",
    "‹drug_amount›",
    "‹drug_amount› / count()",
    "count() + ‹stay_days›",
    "sum(drug_amount * ‹sum(stay_days)›)",
    "sum(drug_amount where stay_days > ‹avg(stay_days)›)",
    "sum(drug_amount * ‹@fine›)",
    "‹1 + 2›",
    "‹count() > 3 stay›",
)
_NAMES = (
    "sum(‹drug_amonut›)",
    "sum(‹stay.pric›)",
    "sum(‹person.drug_amount›)",
    "sum(‹amount›)",
    "sum(fee_line.pric * ‹item_use.quantity›)",
    "max(‹psn_no›)",
    "count(where ‹psn_no› = 'p1')",
    "count(where ‹stay_id› starts 'h0101')",
    "count(where ‹is_valid›)",
    "‹@nobody›",
    "‹@›",
)
_INJECTIONS = (
    "sum(drug_amount)‹;› drop table x",
    "sum(drug_amount) ‹--› comment",
    "sum(drug_amount) ‹/*› comment */",
    "sum(drug_amount) ‹#› comment",
    "count(where hosp_lv = '3‹;› drop table x')",
    "count(where hosp_lv = '3‹--›')",
    "count(where hosp_lv = '/‹*› x')",
    "count(where hosp_lv = '3‹\\›')",
    "count(where hosp_lv = '3'‹'or'›)",
    'count(where hosp_lv = "3‹\'›")',
    "count(where hosp_lv = '3‹\n›')",
    "count(where hosp_lv = '3‹\x00›')",
    "count(where hosp_lv = '3‹\u202e›')",
    "count(where hosp_lv = '3‹\u200b›')",
    "sum(‹\u200b›drug_amount)",
    "sum(dru‹\u0261›_amount)",
    "sum(‹\u0441›ount)",
    "sum‹（›drug_amount）",
    "sum(drug_amount) ‹÷› 2",
    "count(where hosp_lv = ‹‘›3’)",
    "count(where age_years ‹≥› 65 year)",
    "sum(‹药›品费)",
    "select ‹1›",
    "‹select(1)›",
    "‹read_csv('x')›",
    "‹pragma_version()›",
    "sum(drug_amount) ‹union› select drug_amount",
    "sum(‹__class__›)",
    "sum(‹information_schema.tables›)",
    "sum(fct_stay‹[›0])",
    "sum(drug_amount)‹:›:int",
    "sum(‹$›1)",
    "sum(‹?›)",
    "sum(‹{›{ drug_amount }})",
    "sum(drug_amount) ‹|›| 'x'",
    "sum(drug_amount) ‹&› 1",
    "‹`›drug_amount`",
    "count(where ‹drop(1)› = 1)",
    "‹" + "x" * 200 + "()›",
    "‹" + "9" * 40 + "› + count()",
    "1 + ‹@wide_8›",
)
_SCOPES = (
    "‹stay_days›",
    "age_years > ‹65›",
    "‹fee_line.pric› > 5",
    "is_dead and ‹sum(stay_days)› > 3 day",
    "is_dead and ‹@fine› > 3",
    "‹psn_no› = 'p'",
    "hosp_lv = '3'‹;› drop table x",
)

FAULTY: tuple[Faulty, ...] = tuple(_faulty())
"""Every formula that must be refused."""


def is_refused_in_place(faulty: Faulty, catalogue: Catalogue) -> bool:
    """Tell whether a formula is refused at its fault."""
    try:
        check(faulty.indicator, catalogue, KNOWN)
    except FormulaRefusal as refusal:
        return (refusal.line, refusal.column) == faulty.place and refusal.piece == faulty.piece
    return False
