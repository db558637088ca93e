"""The interface of indicators that a bureau defines, over a real register and lake."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Header, HTTPException
from fastapi.testclient import TestClient
from headwater_console.app import create_app

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.adapters.indicator_values import create_tables
from headwater.content.fields import read_fields

API = "/api/v1/custom-indicators"
COST = {
    "name": "cost",
    "zh": "次均费用",
    "en": "cost of a stay",
    "formula": "sum(medfee_sumamt) / count()",
    "unit": "CNY/stay",
    "owner": "价格处",
    "grain": ["hospital_id"],
}


def login(x_who: str = Header("")) -> str:
    if not x_who:
        raise HTTPException(401, "Not authenticated")
    return x_who


def may_change(x_who: str = Header("")) -> None:
    if x_who == "viewer":
        raise HTTPException(403, "Forbidden")


@pytest.fixture(scope="module")
def client(furnished: Home) -> Iterator[TestClient]:
    with lake.connect(furnished, threads=1) as connection:
        create_tables(furnished, connection, read_fields(furnished.project))
        connection.execute(
            "INSERT INTO lake.indicator.value BY NAME SELECT 'cost' AS indicator, 1 AS version, "
            "'hospital_id' AS grain, "
            "hospital_id, 'CNY' AS currency, 'synthetic' AS origin, value, stays, withheld FROM (VALUES "
            "('h1:A', 900.5, 30, NULL), ('h1:B', NULL, NULL, 'small'), ('h1:C', NULL, NULL, 'complementary')) "
            "AS told (hospital_id, value, stays, withheld)"
        )
    with TestClient(create_app(furnished, authenticate=login, authorize=may_change)) as made:
        yield made


def get(client: TestClient, path: str = "") -> Any:
    return client.get(f"{API}{path}", headers={"x-who": "viewer", "accept-language": "en"})


def post(client: TestClient, path: str, body: Any, *, who: str = "li", key: str = "k") -> Any:
    sent = {"x-who": who, "content-type": "application/json", "idempotency-key": key}
    return client.post(f"{API}{path}", content=json.dumps(body), headers=sent)


def test_an_indicator_is_defined_told_and_retired(client: TestClient) -> None:
    assert post(client, "", {"definitions": [COST]}, who="viewer").status_code == 403
    twice = {"definitions": [COST, {**COST, "name": "other", "formula": "sum(nothing)"}]}
    assert post(client, "", twice).status_code == 422
    assert get(client).json() == {"indicators": []}, "none of them is stored when one is wrong"
    assert post(client, "", {"definitions": [COST]}).status_code == 201
    (listed,) = get(client).json()["indicators"]
    assert (listed["name"], listed["version"], listed["defined_by"], listed["retirement"]) == ("cost", 1, "li", None)
    cells = get(client, "/cost/values?lang=en").json()["cells"]
    assert [(one["value"], one["stays"], one["withheld"], one["told"]) for one in cells] == [
        (900.5, 30, None, None),
        (None, None, "small", "withheld: fewer than 10 stays"),
        (None, None, "complementary", "withheld: totals would tell another"),
    ]
    assert {one["version"] for one in cells} == {1}
    assert post(client, "/cost/retirement", {"why": "无用", "by": "wang"}).status_code == 422
    retired = post(client, "/cost/retirement", {"why": "无用"})
    assert (retired.status_code, retired.json()["retirement"]["retired_by"]) == (201, "li")
    assert post(client, "/cost/retirement", {"why": "无用"}).json()["code"] == "E-INDICATOR-RETIRED"
    assert get(client).json() == {"indicators": []}
    assert [one["version"] for one in get(client, "/cost").json()["versions"]] == [1]
    assert get(client, "/none").status_code == 404
    assert post(client, "", {"definitions": [COST]}, key="").json()["code"] == "E-REQUEST-KEY"
