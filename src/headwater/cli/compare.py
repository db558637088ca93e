"""``headwater compare``: hospitals beside their peers, within groups."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.shown import listing, shown

__all__ = ["compare"]

_out = Console()
_MEASURES = {
    "medfee_sumamt": "cost 费用",
    "stay_days": "days 住院日",
    "is_dead": "deaths 死亡",
    "drug_amount": "drugs 药费",
    "consumable_amount": "consumables 耗材费",
    "service_amount": "services 服务费",
}
_ALONE = "[dim]no peers 无同级医院可比[/]"
_PLACES = {
    "": "–",
    "within": "within 范围内",
    "rather high": "[yellow]rather high 偏高[/]",
    "rather low": "[yellow]rather low 偏低[/]",
    "high": "[red]high 高[/]",
    "low": "[red]low 低[/]",
}


class Measure(StrEnum):
    """What hospitals are compared by."""

    medfee_sumamt = "medfee_sumamt"
    stay_days = "stay_days"
    is_dead = "is_dead"
    drug_amount = "drug_amount"
    consumable_amount = "consumable_amount"
    service_amount = "service_amount"


def compare(
    measure: Annotated[
        Measure, typer.Option(help="What is shown; all are compared. / 显示的指标")
    ] = Measure.medfee_sumamt,
    as_json: Json = False,
) -> None:
    """Compare hospitals within region, level and DRG, with doubt kept in. / 同级医院同组比较."""
    from headwater.steps.compare import compare as run

    with refusing():
        found = run(home())
    if as_json:
        print_json({**found.to_dict(), "comparison": found.rows, "differences": found.differences})
        return
    table = listing(
        "hospital 医院", "level 级别", "stays 病例", "O/E 比值", "95 % 区间", "shrunken 收缩", "place 位置", numbers=5
    )
    for row in found.rows:
        if row["measure"] != measure:
            continue
        if row["why_none"]:
            table.add_row(shown(row["hospital_id"]), shown(row["hosp_lv"]), f"{row['stays']:,}", *("–",) * 3, _ALONE)
        elif row["ratio"] is not None:
            between = f"{row['lower']:.2f}–{row['upper']:.2f}"
            factor = "–" if row["factor"] is None else f"{row['factor']:.2f}"
            numbers = (f"{row['stays']:,}", f"{row['ratio']:.2f}", between, factor)
            table.add_row(shown(row["hospital_id"]), shown(row["hosp_lv"]), *numbers, _PLACES[row["place"] or ""])
    _out.print(f"[bold]{_MEASURES[measure]}[/]", highlight=False)
    _out.print(table)
    if measure == Measure.medfee_sumamt:
        _tell_differences(found.differences)
    _out.print(
        f"stays 病例 {found.stays:,} · without group 未入组 {found.left_out:,} · {found.seconds:.1f} s", highlight=False
    )


def _tell_differences(rows: Iterable[Mapping[str, Any]]) -> None:
    """Tell what a hospital costs more or less than the average of its level, and of what that is made."""
    parts = {
        "difference": "against average 与均值之差",
        "volume": "volume 人次",
        "mix": "mix 结构",
        "price": "price 例均",
    }
    table = listing("hospital 医院", *parts.values(), numbers=len(parts))
    for row in rows:
        table.add_row(shown(row["hospital_id"]), *(f"{row[name]:+,.0f}" for name in parts))
    _out.print(table)
