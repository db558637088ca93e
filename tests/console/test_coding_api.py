"""The interface of coding review over real stores: who may look, who may decide, what a refusal says."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from headwater_console.app import create_app

from headwater.adapters import coding, lake, postgres, raw, references, reviews
from headwater.adapters.home import Home
from headwater.claims.references import KINDS, refer
from headwater.steps.questions import questions

API = "/api/v1/coding"
PLAIN, DEAR, NONE = "a" * 20, "b" * 20, "d" * 20
ITEM = {"source_id": "h1", "kind": "drug", "medins_list_name": "阿莫西林胶囊", "is_listed": True, "confidence": 0.6}
OPEN = {"decision": "review", "reason": "tie", "reference_version": "v", "coded_at": datetime(2026, 1, 5)}


def login(x_who: str = Header("")) -> str:
    if not x_who:
        raise HTTPException(401, "Not authenticated")
    return x_who


def may_decide(x_who: str = Header("")) -> None:
    if x_who == "viewer":
        raise HTTPException(403, "Forbidden")


@pytest.fixture(scope="module")
def app(furnished: Home) -> FastAPI:
    """Give the console of an installation with questions: three of drugs, one of them dear."""
    with lake.connect(furnished) as connection:
        raw.create_tables(furnished, connection)
        references.create_tables(furnished, connection)
        coding.create_tables(furnished, connection)
        read = refer(KINDS["drug"], {"code": ["X1", "X2"], "name": ["甲", "乙"]}, name="test")
        references.write(furnished, connection, read, valid_from=date(2025, 1, 1), file=("test", "0" * 64))
        for number, (like_id, price) in enumerate([(PLAIN, 3), (DEAR, 5000), ("c" * 20, 7)]):
            row = {**ITEM, **OPEN, "like_id": like_id, "medins_list_codg": str(number), "pric": price}
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO lake.coding.item ({names}) VALUES ({marks})", list(row.values()))
        connection.execute(
            "INSERT INTO lake.coding.item (source_id, kind, medins_list_name, is_listed, like_id, decision, reason) "
            "VALUES ('h1', 'drug', '远志糖浆', false, $1, 'none', 'dropped')",
            [NONE],
        )
        connection.execute(
            "INSERT INTO lake.coding.usage (source_id, kind, medins_list_name, line_count, quantity, money) "
            "VALUES ('h1', 'drug', '远志糖浆', 2, 2, 30)"
        )
        asked = questions(connection, on=datetime.now(UTC).date())
    with postgres.connect(furnished) as register:
        reviews.ask(register, asked, kinds=["drug"])
    return create_app(furnished, authenticate=login, authorize=may_decide)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def post(client: TestClient, path: str, body: Any, *, who: str = "li", key: str = "", **headers: str) -> Any:
    sent = {"x-who": who, "content-type": "application/json", "idempotency-key": key or json.dumps([who, body])[:150]}
    content = body if isinstance(body, str) else json.dumps(body, ensure_ascii=True)
    return client.post(f"{API}/{path}", content=content, headers={**sent, **headers})


def get(client: TestClient, path: str) -> Any:
    return client.get(f"{API}/{path}", headers={"x-who": "viewer"})


DECISION = {"like_id": PLAIN, "code": "X1", "why": "说明书"}
REFUSED = [
    ("E-CODING-UNKNOWN", 404, {**DECISION, "like_id": "f" * 20}, {}),
    ("E-CODING-CODE", 422, {**DECISION, "code": "X9"}, {}),
    ("E-CODING-NOT-WAITING", 409, {**DECISION, "over": 999}, {}),
    ("E-REQUEST", 422, {**DECISION, "why": "  "}, {}),
    ("E-REQUEST", 422, {**DECISION, "by": "somebody else"}, {}),
    ("E-REQUEST", 422, {**DECISION, "like_id": "' or 1=1"}, {}),
    ("E-REQUEST", 422, {"like_id": PLAIN, "why": "w"}, {}),
    ("E-REQUEST", 422, "{", {}),
    ("E-REQUEST-TYPE", 415, DECISION, {"content-type": "text/plain"}),
    ("E-REQUEST-TYPE", 415, DECISION, {"content-type": "application/x-www-form-urlencoded"}),
    ("E-REQUEST-KEY", 422, DECISION, {"idempotency-key": " "}),
]


@pytest.mark.parametrize(("code", "status", "body", "headers"), REFUSED)
def test_what_is_refused_says_what_and_how_to_mend_it(client, code, status, body, headers):
    answer = post(client, "decisions?lang=en", body, **headers)
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["title"] == told["title_en"] != told["title_zh"]
    assert told["remedy"] == told["remedy_en"]
    assert all(told.values())


@pytest.mark.parametrize("path", ["queue", f"items/{PLAIN}", "decisions", "confirmations"])
@pytest.mark.parametrize("content", ["{", json.dumps(DECISION)])
def test_a_stranger_neither_looks_nor_decides(client, path, content):
    answer = (
        client.get(f"{API}/{path}")
        if path in ("queue", f"items/{PLAIN}")
        else client.post(f"{API}/{path}", content=content)
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "E-LOGIN")


@pytest.mark.parametrize("path", ["decisions", "confirmations"])
def test_who_may_only_look_does_not_decide(client, path):
    answer = post(client, path, DECISION, who="viewer")
    assert (answer.status_code, answer.json()["code"]) == (403, "E-FORBIDDEN")


def test_the_guard_of_decisions_can_fail(furnished, app):
    """The twin without it lets a viewer through to the next refusal."""
    twin = create_app(furnished, authenticate=login, authorize=lambda: None)
    with TestClient(twin) as client:
        assert post(client, "confirmations", {"decision_id": 999, "why": "w"}, who="viewer").status_code == 409


def test_pages_of_the_queue_hold_every_question_once_the_most_money_first(client):
    seen, cursor = [], ""
    while cursor is not None:
        page = get(client, f"queue?limit=1&lang=en{cursor and f'&cursor={cursor}'}").json()
        seen += page["questions"]
        cursor = page["next_cursor"]
    assert [Decimal(one["at_risk"]) for one in seen] == sorted((Decimal(one["at_risk"]) for one in seen), reverse=True)
    assert sorted(one["like_id"] for one in seen) == [PLAIN, DEAR, "c" * 20]
    assert seen[0]["like_id"] == DEAR
    assert {type(one["at_risk"]) for one in seen} == {str}
    assert "equally near" in seen[0]["reason_text"]
    assert get(client, "queue?kind=service").json() == {"questions": [], "next_cursor": None}


def test_what_has_no_code_is_a_queue_of_its_own(client):
    (question,) = get(client, "queue?state=none&lang=zh-CN").json()["questions"]
    assert (question["like_id"], question["state"], question["at_risk"]) == (NONE, "none", "30.00")
    assert "已不在参考表" in question["reason_text"]


@pytest.mark.parametrize(
    "query", ["cursor=x", "state=lost", "cursor=W10=", "limit=0", "limit=1001", "kind=leech", "cursor=WyJOYU4iLCAiYSJd"]
)
def test_a_senseless_question_is_a_problem(client, query):
    answer = get(client, f"queue?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_decision_is_signed_by_who_is_logged_in_and_comes_once(client):
    first = post(client, "decisions", DECISION, who="li", key="k")
    assert (first.status_code, first.json()["state"], first.json()["items"]) == (201, "in force", 1)
    assert post(client, "decisions", DECISION, who="li", key="k").json() == first.json()
    assert (
        post(client, "decisions", {**DECISION, "code": "X2"}, who="li", key="k").json()["code"] == "E-CODING-REPEATED"
    )
    other = post(client, "decisions", {**DECISION, "code": "X2"}, who="wang")
    assert (other.status_code, other.json()["code"]) == (409, "E-CODING-DECIDED")
    shown = get(client, f"items/{PLAIN}").json()
    assert [(one["decided_by"], one["code"], one["state"]) for one in shown["decisions"]] == [("li", "X1", "in force")]
    assert [(one["decision"], one["code"]) for one in shown["items"]] == [("decided", "X1")]
    assert PLAIN not in {one["like_id"] for one in get(client, "queue").json()["questions"]}


def test_a_dear_item_takes_two_people(client):
    proposed = post(client, "decisions", {**DECISION, "like_id": DEAR, "code": None}).json()
    assert (proposed["state"], proposed["items"]) == ("proposed", 0)
    (question,) = [one for one in get(client, "queue").json()["questions"] if one["like_id"] == DEAR]
    assert question["proposal"]["decision_id"] == proposed["decision_id"]
    wanted = {"decision_id": proposed["decision_id"], "why": "复核"}
    same = post(client, "confirmations", wanted, who="li")
    assert (same.status_code, same.json()["code"]) == (403, "E-CODING-SAME-PERSON")
    done = post(client, "confirmations", wanted, who="wang")
    assert (done.status_code, done.json()["state"], done.json()["items"]) == (201, "in force", 1)
    late = post(client, "confirmations", wanted, who="zhao")
    assert (late.status_code, late.json()["code"]) == (409, "E-CODING-NOT-WAITING")


@pytest.mark.parametrize("place", [["1e999999", "a" * 20], ["1e-99999", "a" * 20], ["1", "\ud800"], ["1", "x"], [1, 2]])
def test_a_forged_cursor_is_refused(client: TestClient, place: list[Any]):
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    answer = get(client, f"queue?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "E-REQUEST-CURSOR")


def test_a_body_too_large_is_not_read_to_its_end(client: TestClient):
    answer = post(client, "decisions", " " * 1_000_000, key="large")
    assert (answer.status_code, answer.json()["code"]) == (413, "E-REQUEST-SIZE")


def test_a_reason_with_a_control_character_is_refused(client: TestClient):
    answer = post(client, "decisions", {**DECISION, "like_id": "c" * 20, "why": "a\x00b"}, key="nul")
    assert (answer.status_code, answer.json()["code"]) == (422, "E-CODING-WHO")
