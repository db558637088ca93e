"""What every grouping plan must do: reach its groups, know its codes, and group a stay whatever its neighbours."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.checks.suite import Suite, refused, require
from headwater.claims.grouping import REASONS, STATUSES, Plan, explain
from headwater.claims.grouping.reaching import reach

__all__ = ["GROUPING_SUITE"]

_SEED = 11
_SAID = ["mdc", "adrg", "drg", "status"]
_ODD = (
    *(
        "",
        " ",
        "-",
        "x",
        "A" * 10_000,
        "\x00",
        "💊",
        "'; drop table",
        "Ｉ１０．Ｘ００",
        "NULL",
        "10.2+",
        "†*",
        "\ufeff",
    ),
    None,
)


@lru_cache(maxsize=8)
def _reached(plan: Plan) -> pa.Table:
    return reach(plan)


@lru_cache(maxsize=8)
def _sample(plan: Plan) -> pa.Table:
    """Return a stay in every group: as it is, without secondary diagnoses, and with some drawn from the plan's."""
    rng = np.random.default_rng(_SEED)
    codes = [code for code, _, _ in plan.tables.complications] + list(plan.tables.diagnoses)[:200]
    stays = _reached(plan).filter(_reached(plan)["reached"]).drop_columns(["drg", "reached", "taken_by"])
    more = [[codes[at] for at in rng.integers(len(codes), size=4)] if codes else [] for _ in range(len(stays))]
    diagnoses = [[*own, *drawn] for own, drawn in zip(stays["diagnoses"].to_pylist(), more, strict=True)]
    drawn = stays.set_column(0, "diagnoses", pa.array(diagnoses, pa.list_(pa.string())))
    bare = _changed(stays, "diagnoses", lambda codes: codes[:1])
    return pa.concat_tables([stays, bare, drawn]).combine_chunks()


def _alike(one: pa.Table, two: pa.Table) -> bool:
    return bool(one.select(_SAID).combine_chunks().equals(two.select(_SAID).combine_chunks()))


def _changed(stays: pa.Table, name: str, change: Callable[[list[str]], list[str]]) -> pa.Table:
    column = pa.array([change(codes) for codes in stays[name].to_pylist()], pa.list_(pa.string()))
    return stays.set_column(stays.column_names.index(name), name, column)


def check_groups_are_reached(plan: Plan) -> None:
    """Require a stay in every DRG, or that its author says why there is none; what is said must be so."""
    table = _reached(plan)
    lost = {
        row["drg"]: row["taken_by"]
        for row in table.select(["drg", "reached", "taken_by"]).to_pylist()
        if not row["reached"]
    }
    require(set(lost) == set(plan.tables.unreachable), f"not reached (taken by): {lost}")


def check_every_stay_of_an_adrg_has_a_drg(plan: Plan) -> None:
    """Require that no stay of the sample enters an ADRG whose DRGs leave it out."""
    grouped = plan.group(_sample(plan))
    loose = {row["adrg"] for row in grouped.select(_SAID).to_pylist() if row["adrg"] and not row["drg"]}
    require(not loose, f"ADRGs without a DRG for some stay: {sorted(loose)}")


def check_lists_name_known_codes(plan: Plan) -> None:
    """Require that lists, complications, exclusions and maps speak of codes that the plan lists with a name."""
    tables = plan.tables
    known = {"diagnosis": set(tables.diagnoses), "operation": set(tables.operations)}
    strangers = {code for listed in tables.lists for code in listed.codes if code not in known[listed.kind]}
    strangers |= {code for code, _, _ in tables.complications} - known["diagnosis"]
    strangers |= {code for _, code in tables.exclusions} - known["diagnosis"]
    strangers |= set(tables.diagnosis_map.values()) - known["diagnosis"]
    strangers |= set(tables.operation_map.values()) - known["operation"]
    require(not strangers, f"codes without a name: {sorted(strangers)[:10]}")


def check_exclusions_are_defined(plan: Plan) -> None:
    """Require that every exclusion table that a complication names has principal diagnoses in it."""
    defined = {table for table, _ in plan.tables.exclusions}
    loose = {table for _, _, table in plan.tables.complications if table} - defined
    require(not loose, f"exclusion tables without a diagnosis: {sorted(loose)}")


def check_answers_are_well_formed(plan: Plan) -> None:
    """Require known statuses and reasons, a DRG exactly where one is promised, and words for every reason."""
    grouped = plan.group(_sample(plan))
    above = {row["code"]: (row["mdc"], row["adrg"]) for row in plan.drgs.to_pylist()}
    for row in grouped.to_pylist():
        require(row["status"] in STATUSES, "a status without words")
        require((row["drg"] is not None) == (row["status"] in ("grouped", "unrelated")), "a DRG out of place")
        require(row["drg"] is None or above[row["drg"]] == (row["mdc"], row["adrg"]), "a DRG under another ADRG")
        require(bool(row["reasons"]), "no reason")
        require(all(reason["code"] in REASONS for reason in row["reasons"]), "a reason without words")
    told = explain(plan, grouped)
    require(all(len(said) > 1 for name in ("zh", "en") for said in told[name].to_pylist()), "nothing told")


def check_same_twice(plan: Plan) -> None:
    """Require that grouping again, by a plan compiled again, says the same."""
    again = Plan(plan.tables)
    require(again.version == plan.version, "another version")
    require(plan.group(_sample(plan)).equals(again.group(_sample(plan))), "another answer")


def check_order_of_secondary_diagnoses_does_not_matter(plan: Plan) -> None:
    """Require that shuffled secondary diagnoses and repeated ones change nothing."""
    rng, stays = np.random.default_rng(_SEED), _sample(plan)
    shuffled = _changed(stays, "diagnoses", lambda codes: [*codes[:1], *rng.permutation(codes[1:]).tolist()])
    repeated = _changed(stays, "diagnoses", lambda codes: [*codes, *codes[1:]])
    again = _changed(stays, "operations", lambda codes: [*codes, *codes])
    for changed in (shuffled, repeated, again):
        require(_alike(plan.group(changed), plan.group(stays)), "order or repetition shows")


def check_rows_do_not_matter_to_each_other(plan: Plan) -> None:
    """Require that a stay's answer depends on neither its place nor its neighbours, nor on how columns are chunked."""
    stays = _sample(plan)
    place = pa.array(np.random.default_rng(_SEED).permutation(len(stays)))
    whole = plan.group(stays)
    require(plan.group(stays.take(place)).equals(whole.take(place)), "a neighbour shows")
    chunks = pa.concat_tables([stays.slice(at, 7) for at in range(0, len(stays), 7)])
    require(plan.group(chunks).equals(whole), "chunks show")
    require(plan.group(stays.slice(5, 9)).equals(whole.slice(5, 9)), "a slice shows")


def check_any_column_type_will_do(plan: Plan) -> None:
    """Require that large, dictionary and null columns, text for numbers, further columns and empty tables are read."""
    stays = _sample(plan)
    whole = plan.group(stays)
    other: dict[str, Any] = {"note": pa.array(range(len(stays)))}
    for name in stays.column_names:
        listed = name in ("diagnoses", "operations")
        type_ = pa.large_list(pa.large_string()) if listed else pa.string()
        other[name] = stays[name].cast(type_)
    require(_alike(plan.group(pa.table(other)), whole), "large lists or numbers as text are read otherwise")
    packed = {
        name: stays[name].cast(pa.list_(pa.dictionary(pa.int32(), pa.string()))) for name in ("diagnoses", "operations")
    }
    numbers = {name: stays[name] for name in stays.column_names if name not in packed}
    require(_alike(plan.group(pa.table({**packed, **numbers})), whole), "dictionaries are read otherwise")
    require(plan.group(stays.slice(0, 0)).schema.equals(whole.schema), "an empty table")
    nothing = plan.group(pa.table({"diagnoses": pa.nulls(2), "operations": pa.nulls(2), "age": pa.nulls(2)}))
    require(nothing["status"].to_pylist() == ["invalid", "invalid"], "nulls are grouped")


def check_odd_values_break_nothing(plan: Plan) -> None:
    """Require a status and a reason for whatever stands in a stay, ten thousand diagnoses among it."""
    known = [code for code, _, _ in plan.tables.complications]
    lists = [[odd, *_ODD] for odd in _ODD] + [
        [*known[:1], *_ODD],
        None,
        [],
        (known + ["x"]) * (10_000 // (len(known) + 1)),
    ]
    count = len(lists)
    odd = [-1.0, 1e308, float("nan"), float("inf"), 0.5, None]
    stays = {
        "diagnoses": pa.array(lists, pa.list_(pa.string())),
        "operations": pa.array(lists[::-1], pa.list_(pa.string())),
    }
    numbers = {
        name: pa.array([odd[at % 6] for at in range(count)]) for name in ("age", "age_days", "weight", "ipt_days")
    }
    sexes = pa.array([("男", "Ｆ", "9", "", "x", None)[at % 6] for at in range(count)])
    grouped = plan.group(
        pa.table(
            {
                **stays,
                **numbers,
                "gend": sexes,
                "dscg_way": pa.array(["5", "死亡"] * (count // 2) + ["1"] * (count % 2)),
            }
        )
    )
    require(len(grouped) == count, "rows were lost")
    for row in grouped.to_pylist():
        require(row["status"] in STATUSES and bool(row["reasons"]), "no status or no reason")


def check_what_is_near_lands_there(plan: Plan) -> None:
    """Require that every change proposed lands in the group that it names, and that no part of it suffices."""
    stays = _sample(plan).slice(0, 24)
    found = plan.near(stays)
    require(len(found) > 0, "nothing is near")
    require(plan.group(found)["drg"].equals(found["drg"]), "a change lands elsewhere")
    now = plan.group(stays)["drg"].to_pylist()
    require(
        all(now[row["row"]] != row["drg"] for row in found.select(["row", "drg"]).to_pylist()), "a group is near itself"
    )


def check_wrong_tables_are_refused(plan: Plan) -> None:
    """Require that what is no table of stays is refused."""
    stays = _sample(plan).slice(0, 2)
    text = stays.set_column(0, "diagnoses", pa.array(["A", "B"]))
    ages = stays.set_column(stays.column_names.index("age"), "age", pa.array([[1], [2]]))
    numbers = stays.set_column(1, "operations", pa.array([[1], [2]]))
    for wrong in (text, ages, numbers, stays.drop_columns(["operations"]), [{"diagnoses": ["A"]}]):
        refused(partial(plan.group, wrong), "E-GROUP-TABLE")


GROUPING_SUITE: Suite[Plan] = Suite(
    "grouping plan",
    (
        check_groups_are_reached,
        check_every_stay_of_an_adrg_has_a_drg,
        check_lists_name_known_codes,
        check_exclusions_are_defined,
        check_answers_are_well_formed,
        check_same_twice,
        check_order_of_secondary_diagnoses_does_not_matter,
        check_rows_do_not_matter_to_each_other,
        check_any_column_type_will_do,
        check_odd_values_break_nothing,
        check_what_is_near_lands_there,
        check_wrong_tables_are_refused,
    ),
)
