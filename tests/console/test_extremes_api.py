"""The interface of extreme stays over a real register: who may look, who may decide, what a refusal says."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from headwater_console.app import create_app

from headwater.adapters import postgres, stay_reviews
from headwater.adapters.home import Home
from headwater.adapters.stay_reviews import Question

API = "/api/v1/extremes"
LINE = {"part": "group", "charge_group": "drug", "code": None, "name": None, "amount": "9.00", "usual": "1.00"}


def login(x_who: str = Header("")) -> str:
    if not x_who:
        raise HTTPException(401, "Not authenticated")
    return x_who


def may_decide(x_who: str = Header("")) -> None:
    if x_who == "viewer":
        raise HTTPException(403, "Forbidden")


def question(stay_id: str, at_stake: str, hospital: str = "h1") -> Question:
    return Question(
        stay_id=stay_id,
        hospital_id=hospital,
        region="楚源省",
        currency="CNY",
        hosp_lv="3",
        drg="MA11",
        side="high",
        methods=["rule"],
        amount=Decimal(at_stake) + 5,
        at_stake=Decimal(at_stake),
        reasons=[{"code": "rule_high", "zh": "费用过高。", "en": "It cost too much."}],
        evidence=[LINE],
        found_by="rule",
        snapshot_id=7,
    )


@pytest.fixture(scope="module")
def app(furnished: Home) -> FastAPI:
    asked = [question("h1:M 1", "10.00"), question("h1:M2", "300.00"), question("h2:M3", "20.00", "h2")]
    with postgres.connect(furnished) as register:
        assert stay_reviews.ask(register, asked) == 3
    return create_app(furnished, authenticate=login, authorize=may_decide)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def get(client: TestClient, path: str) -> Any:
    return client.get(f"{API}/{path}", headers={"x-who": "viewer"})


def post(client: TestClient, body: Any, *, who: str = "li", key: str = "", **headers: str) -> Any:
    sent = {"x-who": who, "content-type": "application/json", "idempotency-key": key or json.dumps([who, body])[:150]}
    return client.post(f"{API}/decisions?lang=en", content=json.dumps(body), headers={**sent, **headers})


DECISION = {"stay_id": "h1:M2", "decision": "special", "why": "新技术"}
REFUSED = [
    ("E-EXTREME-UNKNOWN", 404, {**DECISION, "stay_id": "none"}, {}),
    ("E-EXTREME-CHOICE", 422, {**DECISION, "decision": "pay"}, {}),
    ("E-EXTREME-DECIDED", 409, {**DECISION, "over": 99}, {}),
    ("E-REQUEST", 422, {**DECISION, "by": "somebody else"}, {}),
    ("E-REQUEST", 422, {**DECISION, "stay_id": "a/../b"}, {}),
    ("E-REQUEST-TYPE", 415, DECISION, {"content-type": "text/plain"}),
    ("E-REQUEST-KEY", 422, DECISION, {"idempotency-key": " "}),
]


@pytest.mark.parametrize(("code", "status", "body", "headers"), REFUSED)
def test_what_is_refused_says_what_and_how_to_mend_it(client, code, status, body, headers):
    answer = post(client, body, **headers)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert told["title"] == told["title_en"] != told["title_zh"]
    assert all(told.values())


def test_what_was_never_decided_is_not_superseded(client):
    told = post(client, {**DECISION, "over": 99}).json()
    assert (told["code"], told["title"]) == ("E-EXTREME-DECIDED", "There is no decision to supersede.")


def test_one_key_at_one_moment_decides_one_stay(app, furnished):
    asked = [question(f"h9:{number}", "1.00", "h9") for number in range(6)]
    with postgres.connect(furnished) as register:
        waiting = stay_reviews.queue(register, limit=1000)
        stay_reviews.ask(register, [*waiting, *asked])

    def decide(one: Question) -> Any:
        with TestClient(app) as client:
            return post(client, {**DECISION, "stay_id": one.stay_id}, key="one").json()

    with ThreadPoolExecutor(len(asked)) as pool:
        told = list(pool.map(decide, asked))
    assert sorted(one.get("code", "decided") for one in told) == ["E-EXTREME-REPEATED"] * 5 + ["decided"]
    with postgres.connect(furnished) as register:
        stay_reviews.ask(register, waiting)


def test_who_may_only_look_does_not_decide_and_a_stranger_does_neither(client):
    assert post(client, DECISION, who="viewer").status_code == 403
    for path in ("queue", "stays/h1:M2"):
        assert client.get(f"{API}/{path}").status_code == 401


def test_pages_hold_every_stay_once_the_most_money_first_and_without_lines(client):
    seen, cursor = [], ""
    while cursor is not None:
        page = get(client, f"queue?limit=1&lang=en{cursor and f'&cursor={cursor}'}").json()
        seen += page["stays"]
        cursor = page["next_cursor"]
    assert [one["stay_id"] for one in seen] == ["h1:M2", "h2:M3", "h1:M 1"]
    assert (seen[0]["at_stake"], seen[0]["reasons"]) == ("300.00", [{"code": "rule_high", "text": "It cost too much."}])
    assert "evidence" not in seen[0]
    assert [one["stay_id"] for one in get(client, "queue?hospital=h2").json()["stays"]] == ["h2:M3"]
    assert get(client, "queue?cursor=x").json()["code"] == "E-REQUEST-CURSOR"
    assert get(client, "queue?cursor=WyIxIiwgIlx1ZDgwMCJd").json()["code"] == "E-REQUEST-CURSOR", "half a character"
    assert get(client, "queue?hospital=%00").json()["code"] == "E-REQUEST"


def test_one_stay_is_shown_with_its_lines_and_decided_once(client):
    shown = get(client, "stays/h1:M%201").json()
    assert (shown["is_waiting"], shown["stay"]["evidence"], shown["decisions"]) == (True, [LINE], [])
    assert set(shown["choices"]) == {"accept", "special", "reduce", "return"}
    body = {**DECISION, "stay_id": "h1:M 1"}
    first, again = (post(client, body, key="k1") for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json())
    shown = get(client, "stays/h1:M%201?lang=en").json()
    (decision,) = shown["decisions"]
    assert (shown["is_waiting"], decision["decided_by"], decision["why"]) == (False, "li", "新技术")
    assert decision["seen"]["at_stake"] == "10.00"
    assert post(client, body, key="k2").json()["code"] == "E-EXTREME-DECIDED"
