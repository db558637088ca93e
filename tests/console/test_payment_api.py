"""The interface of groups and payments over a real lake: pages of what is published, explanations, refusals."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import yaml
from fastapi import Header, HTTPException
from fastapi.testclient import TestClient
from headwater_console.app import create_app

from headwater.adapters import lake, postgres, publication
from headwater.adapters.home import Home
from headwater.adapters.publication import Publication
from headwater.content.national import read_national

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = read_national(PROJECT)


def login(x_who: str = Header("")) -> str:
    if not x_who:
        raise HTTPException(401, "Not authenticated")
    return x_who


@pytest.fixture(scope="module")
def client(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give the console of an installation with five paid stays, three of them published."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(postgres.DSN_VARIABLE, server)
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            for database in postgres.DATABASES:
                connection.execute(f'drop database if exists "{database}" with (force)')
        home = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
        postgres.prepare(home)
        with lake.connect(home, threads=1) as connection:
            connection.execute(
                "CREATE TABLE lake.marts.fct_payment AS SELECT * FROM (VALUES "
                "('h1:1', 'h1:A', 'ES11', DATE '2025-03-01', CAST(8000.00 AS DECIMAL(18,2))), "
                "('h1:2', 'h1:A', 'ES13', DATE '2025-03-01', 7000.10), ('h1:3', 'h1:B', 'ES11', DATE '2025-04-01', 1)"
                ") AS paid (stay_id, hospital_id, drg, discharge_month, payable)"
            )
            connection.execute(
                "CREATE TABLE lake.marts.ind_case_mix AS SELECT hospital_id, discharge_month, 'v' AS policy_version, "
                "'w' AS plan_version, 1.5 AS cmi FROM lake.marts.fct_payment GROUP BY ALL"
            )
            connection.execute("INSERT INTO lake.marts.ind_case_mix VALUES (NULL, '2025-05-01', 'v', NULL, 1)")
            for mart in PAGED:
                connection.execute(f"CREATE TABLE lake.marts.{mart} ({_columns(mart)})")
                _fill(connection, mart)
            snapshot = lake.snapshot(connection)
            connection.execute(
                "INSERT INTO lake.marts.fct_payment "
                "SELECT 'x' || stay_id, * EXCLUDE (stay_id) FROM lake.marts.fct_payment"
            )
        with publication.claim(home) as register:
            publication.flip(register, Publication(snapshot, "r", "t", datetime(2026, 1, 5, tzinfo=UTC)))
        with TestClient(create_app(home, authenticate=login, authorize=login)) as made:
            yield made


PAGED = ("ind_budget_use", "ind_pool_use", "ind_hospital_drg", "ind_cost_difference", "ind_price_difference")


def _columns(mart: str) -> str:
    """Return the columns of a mart's contract."""
    (file,) = (PROJECT / "dbt_project" / "models" / "marts").rglob(f"{mart}.yml")
    (model,) = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    return ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])


def _fill(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    """Put seven rows into it that its key tells apart, its money of a hundredth more each."""
    (one,) = (one for one in SHIPPED if one.name == mart)
    rows = connection.execute(f"DESCRIBE lake.marts.{mart}").fetchall()
    values = {name: "NULL" for name, *_ in rows}
    values |= {name: "CAST(i + 0.01 AS DECIMAL(18,2))" for name, kind, *_ in rows if kind.startswith("DECIMAL")}
    values |= {name: "'k' || (i % 2)" for name in one.key if name != "discharge_month"}
    values |= {one.key[-1]: "'k' || i", "discharge_month": "DATE '2025-03-01'"}
    listed = {name: value for name, value in values.items() if name in {row[0] for row in rows}}
    names, filled = ", ".join(listed), ", ".join(listed.values())
    connection.execute(f"INSERT INTO lake.marts.{mart} ({names}) SELECT {filled} FROM range(7) AS r (i)")


def get(client: TestClient, path: str, **query: Any) -> Any:
    return client.get(f"/api/v1/{path}", params=query, headers={"x-who": "li", "accept-language": "en"})


def test_pages_hold_what_is_published_each_row_once(client: TestClient) -> None:
    first = get(client, "payments", limit=2).json()
    rest = get(client, "payments", limit=2, cursor=first["next_cursor"]).json()
    rows = first["rows"] + rest["rows"]
    assert [row["stay_id"] for row in rows] == ["h1:1", "h1:2", "h1:3"]
    assert rest["next_cursor"] is None
    assert rows[1]["payable"] == "7000.10", "money is decimal text"
    assert [row["stay_id"] for row in get(client, "payments", hospital_id="h1:A", drg="ES13").json()["rows"]] == [
        "h1:2"
    ]
    assert [row["stay_id"] for row in get(client, "payments", month=date(2025, 4, 1)).json()["rows"]] == ["h1:3"]


def test_indicators_are_listed_and_paged_by_their_key(client: TestClient) -> None:
    listed = {one["name"]: one for one in get(client, "indicators").json()["indicators"]}
    assert {"ind_case_mix", "ind_time_consumption", "ind_payment_balance", "ind_group_coverage"} <= set(listed)
    assert listed["ind_case_mix"]["title"] == {"zh": "病例组合指数 CMI", "en": "Case-mix index"}
    found, cursor = [], None
    while True:
        page = get(client, "indicators/case_mix", limit=1, **({"cursor": cursor} if cursor else {})).json()
        found += [(row["hospital_id"], row["discharge_month"]) for row in page["rows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(found) < 9, "a page that comes again and again"
    assert found == [(None, "2025-05-01"), ("h1:A", "2025-03-01"), ("h1:B", "2025-04-01")], "empty cells too"


@pytest.mark.parametrize("mart", PAGED)
def test_budgets_cells_and_differences_are_paged_each_row_once(client: TestClient, mart: str) -> None:
    (one,) = (one for one in SHIPPED if one.name == mart)
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        page = get(client, f"indicators/{mart}", limit=3, **cursor).json()
        found += page["rows"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    keys = [tuple(str(row[name]) for name in one.key) for row in found]
    assert len(set(keys)) == len(found) == 7
    assert keys == sorted(keys)
    assert {"plan_version", "snapshot_id"} <= set(found[0])
    money = next(name for name in ("forecast", "mean_cost", "difference") if name in found[0])
    assert sorted(row[money] for row in found) == [f"{place}.01" for place in range(7)], "money is decimal text"
    if "drg" in one.key[:-1]:
        some = get(client, f"indicators/{mart}", drg="k1").json()["rows"]
        assert [row for row in found if row["drg"] == "k1"] == some


SIDES = {"before": "headwater_demo/2024-01-01", "after": "headwater_demo"}
PERIOD = {"from": "2025-01-01", "to": "2025-02-01"}


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("payments", {"cursor": "nonsense"}, 422, "E-REQUEST-CURSOR"),
        ("payments", {"cursor": "WzFd"}, 422, "E-REQUEST-CURSOR"),
        ("payments", {"cursor": "WyJcdWQ4MDAiXQ=="}, 422, "E-REQUEST-CURSOR"),
        ("payments", {"limit": 0}, 422, "E-REQUEST"),
        ("payments", {"month": "' or 1=1"}, 422, "E-REQUEST"),
        ("indicators/ind_payment_balance", {}, 409, "E-NOT-PUBLISHED"),
        ("indicators/ind_drug_share", {"drg": "ES13"}, 422, "E-REQUEST"),
        ("indicators/absent", {}, 404, "E-INDICATOR-UNKNOWN"),
        ("stays/h9:1/payment", {}, 422, "E-GROUP-MART"),
        ("what-if", {"before": "absent", "after": "absent", **PERIOD}, 404, "E-POLICY-UNKNOWN"),
        ("what-if", {**SIDES, **PERIOD}, 409, "E-NOT-PUBLISHED"),
        ("what-if", {**SIDES, "from": "2025-02-01", "to": "2025-01-01"}, 422, "E-REQUEST-PERIOD"),
        ("what-if", {**SIDES, "from": "0001-01-01", "to": "9999-12-31"}, 422, "E-REQUEST-PERIOD"),
        ("what-if", {**SIDES, "from": "9999-01-01", "to": "9999-12-31"}, 409, "E-NOT-PUBLISHED"),
        ("what-if", {**SIDES, **PERIOD, "base_from": "2024-01-01"}, 422, "E-REQUEST-PERIOD"),
        ("what-if", {"before": "../../etc/passwd", "after": "a", **PERIOD}, 422, "E-REQUEST"),
    ],
)  # fmt: skip
def test_refusals_are_problems(client: TestClient, path: str, query: dict[str, Any], status: int, code: str) -> None:
    answer = get(client, path, **query)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["title_zh"]
    assert problem["remedy_en"]


def test_policies_and_plans_are_listed(client: TestClient) -> None:
    versions = get(client, "policies").json()["policies"]
    assert {one["plan"] for one in versions} <= {one["name"] for one in get(client, "plans").json()["plans"]}
    assert "/" not in json.dumps(get(client, "plans").json()), "nothing tells where files lie"
    assert all(one["title"]["zh"] and one["title"]["en"] for one in versions)


def test_nothing_is_told_without_a_login(client: TestClient) -> None:
    assert client.get("/api/v1/payments").status_code == 401


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_every_indicator_says_what_it_is(one: Any) -> None:
    assert one.title.zh != one.title.en
    assert one.unit
    assert one.owner
    assert one.direction in ("higher", "lower", "neither")
    assert set(one.key) <= set(one.columns)
