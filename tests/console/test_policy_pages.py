"""Policies are written in the console: who may, what a fault says and where, what it would change, a lost race."""

import importlib.util
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from headwater_console.app import create_app
from playwright.sync_api import expect, sync_playwright

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
PATIENCE = 30_000
"""Milliseconds for an answer of a server that other tests slow down."""
ONE = "/api/v1/policies/trial/2025-01-01"
APRIL = "/api/v1/policies/trial/2025-04-01"


def login(x_who: str = Header("clerk")) -> str:
    return x_who


def may_write(x_who: str = Header("clerk")) -> None:
    if x_who == "viewer":
        raise HTTPException(403, "Forbidden")


def bureau() -> Any:
    spec = importlib.util.spec_from_file_location("bureau", PROJECT / "tests" / "unit" / "steps" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def app(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Give the console of an installation with one policy and two stays that it pays."""
    steps, project = bureau(), tmp_path_factory.mktemp("project")
    (project / "dbt_project").mkdir()
    (project / "dbt_project" / "plans").symlink_to(PROJECT / "dbt_project" / "plans")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(postgres.DSN_VARIABLE, server)
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            for database in postgres.DATABASES:
                connection.execute(f'drop database if exists "{database}" with (force)')
        home = Home(tmp_path_factory.mktemp("home"), project).create()
        postgres.prepare(home)
        with lake.connect(home, threads=1) as connection:
            payer = steps.Payer(home, connection)
            for adapter in (steps.raw, steps.references, steps.coding, steps.assigned, steps.grouped, steps.priced):
                adapter.create_tables(home, connection)
            connection.execute(f"CREATE TABLE lake.marts.fct_stay ({steps._STAYS})")
            connection.execute(f"CREATE TABLE lake.marts.fct_fee_line ({steps._FEE_LINES})")
            payer.policy()
            payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2", "hospital_id": "h1:B", "endtime": datetime(2025, 3, 9)})
            payer.price()
            payer.publish()
        yield create_app(home, authenticate=login, authorize=may_write)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


@pytest.fixture(scope="module")
def text(client: TestClient) -> str:
    return str(client.get(ONE).json()["text"])


def put(client: TestClient, address: str, body: Any, **headers: str) -> Any:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.put(f"{address}?lang=en", content=json.dumps(body), headers=sent)


def test_a_version_is_put_over_what_was_seen_only(client: TestClient, text: str) -> None:
    april = {"text": text.replace("valid_from: 2025-01-01", "valid_from: 2025-04-01"), "reason": "新一年"}
    refused = [
        (428, "E-REQUEST-CONDITION", april, {}),
        (428, "E-REQUEST-CONDITION", april, {"if_match": '"x"', "if_none_match": "*"}),
        (412, "E-POLICY-CHANGED", april, {"if_match": '"0123456789abcdef"'}),
        (403, "E-FORBIDDEN", april, {"if_none_match": "*", "x_who": "viewer"}),
        (422, "E-REQUEST", {**april, "added_by": "somebody else"}, {"if_none_match": "*"}),
        (422, "E-REQUEST", {**april, "reason": "  "}, {"if_none_match": "*"}),
        (422, "E-REQUEST", {**april, "text": text}, {"if_none_match": "*"}),
        (422, "E-POLICY", {**april, "text": "plan: ["}, {"if_none_match": "*"}),
        (422, "E-POLICY-WHO", {**april, "reason": "a\u0000b"}, {"if_none_match": "*"}),
        (413, "E-REQUEST-SIZE", {**april, "text": "#" * (1 << 20)}, {"if_none_match": "*"}),
        (415, "E-REQUEST-TYPE", april, {"if_none_match": "*", "content_type": "text/plain"}),
    ]
    for status, code, body, headers in refused:
        answer = put(client, APRIL, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title_zh"] != answer.json()["title_en"]
    assert client.get(APRIL).status_code == 404
    made = put(client, APRIL, april, if_none_match="*", x_who="li")
    assert (made.status_code, made.json()["added_by"], made.json()["why"]) == (201, "li", "新一年")
    shown = client.get(APRIL)
    assert shown.headers["etag"] == made.headers["etag"]
    assert shown.json()["text"] == april["text"]
    again = {**april, "text": april["text"].replace("zh: 试行", "zh: 试行二")}
    assert put(client, APRIL, again, if_none_match="*").status_code == 412
    assert put(client, APRIL, again, if_match=shown.headers["etag"]).status_code == 201
    assert [one["added_by"] for one in client.get(APRIL).json()["entries"]] == ["clerk", "li"]
    listed = client.get("/api/v1/policies").json()["policies"]
    assert [(one["first"], one["last"], one["added_by"]) for one in listed] == [
        ("2025-01-01", "2025-03-31", None),
        ("2025-04-01", None, "clerk"),
    ]


def test_a_text_is_checked_and_tried_out_without_being_put_down(client: TestClient, text: str) -> None:
    wrong = client.post("/api/v1/policies/check", json={"text": text.replace("by_cost: 1", "by_cost: 2")}).json()
    place = text.splitlines()[wrong["problem"]["line"] - 1][wrong["problem"]["column"] - 1 :]
    assert (place, wrong["problem"]["remedy"]["en"][:12]) == ("1", "It must be a")
    right = client.post("/api/v1/policies/check", json={"text": text}).json()
    assert right["tests"] == [{"name": "a package", "holds": True}]
    assert right["supersedes"]["etag"] == client.get(ONE).headers["etag"].strip('"')
    dearer = text.replace("ES1: 0.8", "ES1: 0.9")
    tried = client.post("/api/v1/policies/preview", json={"text": dearer, "from": "2025-03-01", "to": "2025-03-08"})
    # One of the two stays ends within these days.
    assert (tried.json()["total"]["stays"], tried.json()["total"]["change"]) == (1, "1000.00")
    assert client.get(ONE).json()["text"] == text
    for days in ({"from": "2025-03-01"}, {"from": "2025-03-08", "to": "2025-03-01"}, {"to": "0001-01-01"}):
        refused = client.post("/api/v1/policies/preview", json={"text": dearer, **days})
        assert (refused.status_code, refused.json()["code"]) == (422, "E-REQUEST-PERIOD")


def test_pages_tell_one_payment_and_who_gains(client: TestClient) -> None:
    paid = client.get("/payment", params={"stay": "h1:1", "lang": "en"}).text
    assert "8,000.00" in paid
    assert "weight 0.8 of" in paid
    missing = client.get("/payment", params={"stay": "h9:9"})
    assert (missing.status_code, "没有住院 h9:9" in missing.text) == (404, True)
    asked = {"before": "trial/2025-01-01", "after": "trial/2025-01-01", "from": "2025-03-01", "to": "2025-03-31"}
    base = {"base_from": "2025-03-01", "base_to": "2025-03-08"}
    page = client.get("/what-if", params={**asked, **base, "lang": "en"}).text
    assert "2 stays that ended" in page
    assert "base period 2025-03-01 to 2025-03-08" in page
    assert client.get("/what-if", params={**asked, "to": "2025-13-01"}).status_code == 422
    assert client.get("/policies/trial/2030-01-01").status_code == 404
    for senseless in ("/policies/trial/2030-13-01", "/payment?stay=" + "a" * 201):
        refused = client.get(senseless)
        assert (refused.status_code, refused.headers["content-type"][:9]) == (422, "text/html")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_policy_is_written_in_a_browser(app: FastAPI, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, sync_playwright() as playwright:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-first-run"])
        page = browser.new_page(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            write(page, tmp_path)
        finally:
            browser.close()
            server.should_exit = True
            thread.join(timeout=10)
    assert complaints == []


def write(page: Any, tmp_path: Path) -> None:
    page.goto("/policies?lang=en")
    page.get_by_role("link", name="trial").last.click()
    page.get_by_role("link", name="Write a new version from this one").click()
    field, verdict, save = page.get_by_role("textbox", name="Text"), page.locator("#verdict"), page.locator("#save")
    expect(verdict).to_contain_text("May be added", timeout=PATIENCE)
    text = field.input_value()
    field.fill(text.replace("by_cost: 1", "by_cost: 2"))
    expect(verdict).to_contain_text("It must be a number from 0 to 1", timeout=PATIENCE)
    expect(save).to_be_disabled()
    page.get_by_role("button", name="Go there").click()
    assert field.evaluate("one => one.value.slice(one.selectionStart, one.selectionEnd)") == "2"
    dearer = text.replace("ES1: 0.8", "ES1: 0.9").replace("valid_from: 2025-01-01", "valid_from: 2025-07-01")
    field.fill(dearer)
    expect(verdict).to_contain_text("Tests: 0 of 1 hold", timeout=PATIENCE)
    page.get_by_role("button", name="Compute").click()
    expect(page.locator("#preview")).to_contain_text("+2,000.00", timeout=PATIENCE)
    field.fill(dearer.replace("payable: 8000.0", "payable: 9000"))
    expect(verdict).to_contain_text("A new first day", timeout=PATIENCE)
    page.get_by_label("Reason").fill("涨价")
    # By keyboard, as everything else.
    page.get_by_label("Reason").press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_have_text("Entries of this first day", timeout=PATIENCE)
    expect(page.get_by_role("table")).to_contain_text("涨价", timeout=PATIENCE)
    page.screenshot(path=tmp_path / "policy.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # Whoever wrote from the text that stood there before loses the race, and is told so.
    page.get_by_role("link", name="Write a new version from this one").click()
    expect(verdict).to_contain_text("It supersedes version", timeout=PATIENCE)
    page.locator("#write").evaluate("form => { form.dataset.etag = '0123456789abcdef'; }")
    page.get_by_label("Reason").fill("迟到")
    save.click()
    expect(page.locator("#saved")).to_contain_text("another one than was seen", timeout=PATIENCE)
