"""Formulas drawn at random give the numbers that an evaluator of their pieces, row by row in Python, gives."""

import math
import statistics
from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from headwater.claims.indicators import Catalogue, Indicator, check, compile_sql, parse
from headwater.claims.indicators.syntax import Among, Binary, Call, Missing, Name, Node, Number, Text, Truth, Unary

Row = dict[str, Any]


def evaluate(node: Node, cells: dict[str, list[Row]], row: Row | None = None) -> Any:
    """Return the value of a piece, of a row or of a cell; None is unknown."""
    return _OF[type(node)](node, cells, row)


def _name(node: Name, _: dict[str, list[Row]], row: Row) -> Any:
    return row[f"stay.{node.name}"] if node.table == "stay" and f"stay.{node.name}" in row else row[node.name]


def _unary(node: Unary, cells: dict[str, list[Row]], row: Row | None) -> Any:
    value = evaluate(node.value, cells, row)
    return None if value is None else (not value if node.op == "not" else -value)


def _binary(node: Binary, cells: dict[str, list[Row]], row: Row | None) -> Any:
    left, right = evaluate(node.left, cells, row), evaluate(node.right, cells, row)
    if node.op in ("and", "or"):
        decided = node.op == "or"
        if decided in (left, right):
            return decided
        return None if None in (left, right) else not decided
    if left is None or right is None:
        return None
    if isinstance(left, date) and isinstance(right, str):
        right = date.fromisoformat(right)
    if isinstance(left, float) != isinstance(right, float) and node.op in ("+", "-"):
        left, right = float(left), float(right)
    return _OPERATIONS[node.op](left, right)


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: float(left) * float(right),
    "/": lambda left, right: float(left) / float(right) if right else None,
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "starts": lambda left, right: left.startswith(right),
}


def _among(node: Among, cells: dict[str, list[Row]], row: Row | None) -> Any:
    value = evaluate(node.value, cells, row)
    held = value in [evaluate(choice, cells, row) for choice in node.choices]
    return None if value is None else held != node.negated


def _missing(node: Missing, cells: dict[str, list[Row]], row: Row | None) -> Any:
    return (evaluate(node.value, cells, row) is None) != node.negated


def _call(node: Call, cells: dict[str, list[Row]], row: Row | None) -> Any:
    if node.name == "if":
        condition, yes, no = (evaluate(part, cells, row) for part in node.arguments)
        return None if condition is None else (yes if condition else no)
    table = "item_use" if any(isinstance(one, Name) and one.table == "item_use" for one in node.walk()) else "stay"
    rows = [one for one in cells[table] if node.where is None or evaluate(node.where, cells, one)]
    if node.name == "count" and not node.arguments:
        return len(rows)
    values = [value for one in rows if (value := evaluate(node.arguments[0], cells, one)) is not None]
    if node.name == "share_of":
        every = [value for one in cells[table] if (value := evaluate(node.arguments[0], cells, one)) is not None]
        part, whole = (
            None if held and not known else _sum(known) for held, known in ((rows, values), (cells[table], every))
        )
        return None if part is None or whole is None else _OPERATIONS["/"](part, whole)
    if node.name == "count":
        return len(set(values)) if node.distinct else len(values)
    if node.name == "sum":
        return None if rows and not values else _sum(values)
    return _reduced(node, values) if values else None


def _sum(values: list[Any]) -> Any:
    return math.fsum(map(float, values)) if any(isinstance(value, float) for value in values) else sum(values)


def _reduced(node: Call, values: list[Any]) -> Any:
    if node.name == "avg":
        return _sum(values) / len(values)
    if node.name in ("min", "max"):
        return {"min": min, "max": max}[node.name](values)
    if node.name == "median":
        return statistics.median(values)
    ordered, place = sorted(map(float, values)), float(node.arguments[1].value) * (len(values) - 1)  # type: ignore[attr-defined]
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


_OF: dict[type[Node], Callable[..., Any]] = {
    Number: lambda node, cells, row: node.value,
    Text: lambda node, cells, row: node.value,
    Truth: lambda node, cells, row: node.value,
    **{Name: _name, Unary: _unary, Binary: _binary, Among: _among, Missing: _missing, Call: _call},
}

# Formulas are drawn with the unit of each piece in mind, as a person would write them.
_stay_condition = st.recursive(
    st.sampled_from(
        [
            *("is_dead", "is_emergency", "age_years >= 65 year", "age_years < 30 year", "insutype = '310'"),
            *("insutype in ('310', '390')", "hosp_lv not in ('1')", "fund_pay_sumamt is missing", "age_years is known"),
            *(
                "medfee_sumamt > 3000 CNY",
                "fund_pay_sumamt = 0",
                "stay_days <> 3 day",
                "true",
                "endtime <= '2026-01-15'",
            ),
            *("hospital_id starts 'h:A'", "medfee_sumamt - fund_pay_sumamt > 100.5 CNY", "operation_count in (0, 2)"),
            "if(is_dead, age_years, 30 year) > 20 year",
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=4,
)
_stay_money = st.recursive(
    st.sampled_from(["medfee_sumamt", "fund_pay_sumamt", "drug_amount", "12.5 CNY"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda one: f"0.5 * ({one})"),
        inner.map(lambda one: f"-({one})"),
        st.tuples(_stay_condition, inner, inner).map(lambda parts: f"if({', '.join(parts)})"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]} * {parts[1]} / (stay_days * 1 CNY / 1 day)"),
    ),
    max_leaves=4,
)
_use_condition = st.sampled_from(
    ["item_use.charge_group = 'drug'", "item_use.line_count > 3 line and stay.is_dead", "stay.age_years > 30 year"]
)
_where = st.one_of(st.just(""), _stay_condition.map(lambda one: f" where {one}"))
_money = st.one_of(
    st.tuples(st.sampled_from(["sum", "avg", "min", "max", "median"]), _stay_money, _where).map(
        lambda parts: f"{parts[0]}({parts[1]}{parts[2]})"
    ),
    st.tuples(_stay_money, st.sampled_from(["0", "0.25", "0.9", "1"]), _where).map(
        lambda parts: f"quantile({parts[0]}, {parts[1]}{parts[2]})"
    ),
    _use_condition.map(lambda one: f"sum(item_use.amount where {one})"),
    st.just("max(item_use.amount)"),
)
_count = st.one_of(
    _where.map(lambda one: f"count({one.strip()})"), _stay_condition.map(lambda one: f"count(age_years where {one})")
)
_ratio = st.one_of(
    st.tuples(_money, _money).map(lambda parts: f"{parts[0]} / {parts[1]}"),
    st.tuples(_count, _count).map(lambda parts: f"{parts[0]} / {parts[1]}"),
    st.tuples(_stay_money, _stay_condition).map(lambda parts: f"share_of({parts[0]} where {parts[1]})"),
    st.tuples(_count, _money, _money).map(lambda parts: f"if({parts[0]} > 2 stay, {parts[1]}, {parts[2]}) / 1 CNY"),
    _count.map(lambda one: f"count(distinct psn_no) * {one} / (1 person * 1 stay)"),
)
_formula = st.recursive(
    _ratio.map(lambda one: f"({one})"),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=3,
)


def _values(connection: duckdb.DuckDBPyConnection, formula: str, scope: str, catalogue: Catalogue) -> dict[Any, Any]:
    indicator = Indicator(name="drawn", zh="x", en="x", formula=formula, unit="1", owner="x", scope=scope, version=1)
    found = connection.execute(compile_sql([check(indicator, catalogue)], catalogue)).to_arrow_table().to_pylist()
    return {(row["hospital_id"], row["discharge_month"]): (row["value"], row["stays"]) for row in found}


def _worked_out(formula: str, scope: str, rows: dict[str, list[Row]]) -> dict[Any, Any]:
    condition = parse(scope).root if scope else None
    kept = [stay for stay in rows["stay"] if condition is None or evaluate(condition, rows, stay)]
    named = {stay["stay_id"] for stay in kept}
    cells: dict[Any, dict[str, list[Row]]] = {}
    for stay in kept:
        cell = cells.setdefault((stay["hospital_id"], stay["discharge_month"]), {"stay": [], "item_use": []})
        cell["stay"].append(stay)
    for use in rows["item_use"]:
        if use["stay_id"] in named:
            cells[use["stay.hospital_id"], use["stay.discharge_month"]]["item_use"].append(use)
    root = parse(formula).root
    return {key: (evaluate(root, cell), len(cell["stay"])) for key, cell in cells.items()}


@settings(
    max_examples=60,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(formula=_formula, scope=st.one_of(st.just(""), _stay_condition))
def test_sql_gives_what_is_worked_out_row_by_row(formula: str, scope: str, lab: Any) -> None:
    found = _values(lab.connection, formula, scope, lab.catalogue)
    wanted = _worked_out(formula, scope, lab.rows)
    assert found.keys() == wanted.keys()
    for key, (value, stays) in found.items():
        assert stays == wanted[key][1]
        other = wanted[key][0]
        if other is not None and abs(other) > 1e300:
            continue
        assert (value is None) == (other is None), (formula, key, value, other)
        if value is not None:
            assert math.isclose(value, float(other), rel_tol=1e-6, abs_tol=1e-6), (formula, key, value, other)


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("sum(medfee_sumamt) / sum(0 * stay_days) * 1 day / 1 CNY", None),
        ("sum(fund_pay_sumamt where fund_pay_sumamt is missing) / 1 CNY", None),
        ("sum(fund_pay_sumamt where false) / 1 CNY", 0.0),
        ("avg(fund_pay_sumamt where false) / 1 CNY", None),
        ("count(where age_years is missing and age_years > 5 year) / 1 stay", 0.0),
        ("count(where age_years is missing and not age_years > 5 year) / 1 stay", 0.0),
        ("sum(item_use.amount where false) / 1 CNY", 0.0),
        ("count(item_use where stay.hosp_lv = '7') / 1 item", 0.0),
    ],
)
def test_rules_of_what_is_missing(
    formula: str, told: float | None, small: duckdb.DuckDBPyConnection, catalogue: Catalogue
) -> None:
    assert {value for value, _ in _values(small, formula, "", catalogue).values()} == {told}
