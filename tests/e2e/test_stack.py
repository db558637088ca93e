"""The whole stack, really started: healthy, closed to strangers, modest, at work, and gone when it is told to go.

Its work on a small region: the whole job triggered once; its evolution made up for by a backfill; a removal approved;
networks retrained; a shrunken file accepted.
"""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from headwater.adapters import chain, evolved, lake, postgres, publication
from headwater.adapters.airflow_api import AirflowApi
from headwater.adapters.chain import CHAIN
from headwater.adapters.deliveries import Delivery
from headwater.adapters.home import Home
from headwater.adapters.processes import marked
from headwater.adapters.settings import Ports, passwords
from headwater.adapters.stack import COMPONENTS, POOLS, Stack, running
from headwater.errors import Message, Refusal
from headwater.simulation import simulate
from headwater.steps.decide import decide, waiting_files
from headwater.steps.deliveries import newest
from headwater.steps.demo import run_chain
from headwater.steps.land import land

CHROMIUM = shutil.which("chromium")
PROJECT = Path(__file__).resolve().parents[2]
GIB = 2**30

CONTRACT = """
version: 2
sources:
  - name: t1
    config:
      meta:
        title: {zh: 测试医院, en: Test hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: t1
    tables:
      - name: drug
        config: {meta: {files: "drugs_*.csv", columns: {medins_list_codg: code, medins_list_name: name}}}
"""

KEY = {"task": "stay_cost", "region": "楚源省"}
FOLLOWED = ("evolution", "evolution_month", "heard")
OF_THE_RUN = {"run", "as_of", "snapshot", "version", "is_champion"}
"""Columns that tell who followed a month, not what came of it."""

pytestmark = pytest.mark.e2e

T = TypeVar("T")


def deliver(home: Home, name: str, rows: int) -> None:
    lines = "".join(f"{name}{row},药{row}\n" for row in range(rows))
    (home.deliveries / "t1" / name).write_text(f"code,name\n{lines}", encoding="utf-8")


def until(api: AirflowApi, look: Callable[[], Sequence[T]], *, many: int) -> Sequence[T]:
    """Look until there are so many; say what became of every run when they do not come."""
    deadline = time.monotonic() + 300
    while len(found := look()) < many:
        if time.monotonic() > deadline:
            pytest.fail("\n".join(["not in time; there were", *map(str, found), *map(str, runs(api))]))
        time.sleep(chain.LOOK_S)
    return found


def runs(api: AirflowApi) -> Iterator[tuple[object, ...]]:
    """Yield DAG, state and times of each run, with its tasks that have not succeeded."""
    for dag_id in api.dags():
        for run in api.runs(dag_id):
            tasks = [
                (task["task_id"], task["map_index"], task["state"], task.get("queued_when"), task.get("start_date"))
                for task in api.tasks(dag_id, run["dag_run_id"])
                if task["state"] not in ("success", "skipped")
            ]
            yield dag_id, run["run_type"], run["state"], run["queued_at"], run["end_date"], tasks


def ended(api: AirflowApi, dag_id: str, *run_ids: str) -> None:
    """Wait until these runs have succeeded."""

    def succeeded() -> list[str]:
        states = {run["dag_run_id"]: run["state"] for run in api.runs(dag_id)}
        assert "failed" not in (states[run_id] for run_id in run_ids), [*runs(api)]
        return [run_id for run_id in run_ids if states[run_id] == "success"]

    until(api, succeeded, many=len(run_ids))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    # The database server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-stack-"))
    yield Home(root=root, project=PROJECT).create()
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def said() -> list[Message]:
    return []


@pytest.fixture(scope="module")
def stack(home: Home, said: list[Message]) -> Iterator[Stack]:
    found = Stack(home, Ports(airflow=free_port(), mlflow=free_port()), said.append)
    with found:
        mark = found._processes.mark
        yield found
    assert marked(mark) == ()
    assert not (home.pgdata / "postmaster.pid").exists()
    assert not running(home)
    for port in (found.ports.airflow, found.ports.mlflow):
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    return stack.ports.airflow_url


@pytest.fixture
def stranger(base: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base, trust_env=False) as client:
        yield client


@contextmanager
def session(base: str, home: Home, user: str) -> Iterator[httpx.Client]:
    """Log in as the form does: the browser's cookie is the only credential."""
    with httpx.Client(base_url=base, trust_env=False) as client:
        answer = client.post("/auth/token", json={"username": user, "password": passwords(home)[user]})
        client.cookies.set("_token", answer.json()["access_token"])
        yield client


def test_each_component_is_told_and_runs(stack: Stack, said: list[Message]) -> None:
    told = [message.en for message in said]
    assert [line for line in told if any(f"Starting {name} …" == line for name in COMPONENTS)] == [
        f"Starting {name} …" for name in COMPONENTS
    ]
    assert all(message.zh for message in said)
    stack.check()


def test_a_second_launcher_is_refused(stack: Stack, home: Home) -> None:
    assert running(home)
    with pytest.raises(Refusal, match="E-STACK-RUNNING"), Stack(home, Ports(airflow=free_port(), mlflow=free_port())):
        pytest.fail("two stacks on one home")


def test_every_dag_is_parsed_and_switched_on(stack: Stack) -> None:
    with stack.api() as api:
        chain.await_dags(api, limit_s=300)
        expected = {*CHAIN, "review_deliveries", "review_evolution", "take_withdrawals", "retrain_networks"}
        assert set(until(api, lambda: sorted(api.dags()), many=len(expected))) == expected
        assert api.import_errors() == {}
        assert {name: api.pools()[name] for name in POOLS} == {name: slots for name, (slots, _) in POOLS.items()}


def test_nothing_is_triggered_by_starting(stack: Stack) -> None:
    with stack.api() as api:
        assert {dag_id: api.runs(dag_id) for dag_id in CHAIN} == {dag_id: [] for dag_id in CHAIN}


def test_a_stranger_sees_nothing_of_the_console(stranger: httpx.Client) -> None:
    for path in (
        "",
        "batches",
        "quality",
        "static/console.css",
        "reports/quality/x/zh.html",
        "docs",
        "openapi.json",
        "x",
    ):
        assert stranger.get(f"/headwater/{path}").status_code == 401, path


@pytest.mark.parametrize("user", ["admin", "analyst", "viewer"])
def test_who_is_logged_in_may_look(base: str, home: Home, user: str) -> None:
    with session(base, home, user) as client:
        assert client.get("/headwater/?lang=en").status_code == 200
        assert client.get("/headwater/docs").status_code == 404


def test_a_viewer_may_not_trigger(base: str, home: Home) -> None:
    with session(base, home, "viewer") as client:
        answer = client.post("/api/v2/dags/ingest_deliveries/dagRuns", json={"logical_date": None, "conf": {}})
        assert answer.status_code == 403


def test_a_viewer_may_look_at_codes_that_wait_and_not_decide(base: str, home: Home, stranger: httpx.Client) -> None:
    wanted = {
        "json": {"like_id": "0" * 20, "code": None, "why": "w"},
        "headers": {"Idempotency-Key": "k"},
        "timeout": 60,
    }
    address = "/headwater/api/v1/coding"
    assert stranger.post(f"{address}/decisions", **wanted).status_code == 401
    told = {}
    for user in ("viewer", "analyst"):
        with session(base, home, user) as client:
            assert client.get(f"{address}/queue").json() == {"questions": [], "next_cursor": None}
            told[user] = client.post(f"{address}/decisions", **wanted).json()["code"]
    assert told == {"viewer": "E-FORBIDDEN", "analyst": "E-CODING-UNKNOWN"}


def test_a_wrong_password_opens_nothing(stranger: httpx.Client) -> None:
    answer = stranger.post("/auth/token", json={"username": "admin", "password": "admin"})
    assert answer.status_code == 401


def test_a_bad_value_is_refused_before_anything_runs(stack: Stack) -> None:
    with stack.api() as api, pytest.raises(httpx.HTTPStatusError, match="400"):
        api.trigger("value_sources", params={"budget": 0})


def test_the_navigation_leads_to_console_and_report(base: str, home: Home) -> None:
    with session(base, home, "admin") as client:
        plugins = client.get("/api/v2/plugins").json()["plugins"]
    views = [view for plugin in plugins for view in plugin["external_views"]]
    assert {view["href"] for view in views} == {"/headwater/", "/headwater/quality"}
    assert all(view["destination"] == "nav" for view in views)


def test_the_stack_is_modest(stack: Stack) -> None:
    found = stack.resident_bytes()
    assert set(found) == {"postgres", *COMPONENTS}
    assert all(size > 10 * 2**20 for size in found.values())
    assert sum(found.values()) < 2 * GIB, "4 GiB are for the stack with its tasks at work"


def test_mlflow_answers(stack: Stack) -> None:
    answer = httpx.get(f"{stack.ports.mlflow_url}/health", trust_env=False)
    assert answer.text == "OK"


@pytest.fixture
def page(base: str, home: Home) -> Iterator[Page]:
    """Give Airflow's own page, logged in through its form."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(base_url=base, viewport={"width": 1280, "height": 860}, locale="zh-CN")
        page.goto("/")
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(passwords(home)["admin"])
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/auth/login" not in url)
        yield page
        browser.close()


@pytest.mark.browser
def test_the_console_lives_inside_airflow(page: Page) -> None:
    page.get_by_role("link", name="监管台").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("总览", timeout=20_000)
    frame.get_by_role("link", name="English").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("link", name="质量报告").click()
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("质量报告")


@pytest.mark.browser
def test_the_trigger_form_speaks_both_languages(page: Page) -> None:
    page.goto("/dags/value_sources")
    page.get_by_role("button", name="触发").first.click()
    for text in ("预算单位 / Unit of the budget", "估值方法 / Valuation method", "随机种子 / Random seed"):
        expect(page.get_by_text(text)).to_be_visible(timeout=20_000)


def test_one_trigger_carries_deliveries_to_an_evolved_model(stack: Stack, home: Home) -> None:
    """The whole job on a small region: triggered once, followed from asset to asset by the scheduler."""
    region = home.root / "region"
    simulate(region, hospitals=12, months=12, stays=12_000, seed=20260101)
    report = run_chain(stack, region, tell=lambda said: None, watch=lambda progress: None, started=time.monotonic())
    assert list(report.seconds) == list(CHAIN)
    with lake.connect(home) as connection:
        facts = connection.execute(
            "SELECT (SELECT count(*) FROM lake.marts.fct_stay), (SELECT count(*) FROM lake.knowledge.valuation), "
            "(SELECT count(*) FROM lake.knowledge.model_version WHERE step = 'aggregate'), "
            "(SELECT count(DISTINCT month) FROM lake.knowledge.evolution), "
            "(SELECT count(*) FROM lake.quality.result)"
        ).fetchone()
    with postgres.connect(home) as register:
        states = register.execute("select distinct state from ops.batch").fetchall()
    seen = publication.current(home)
    assert seen is not None, "what was checked is published"
    assert seen.published_by.startswith("check_quality ")
    assert facts is not None
    stays, values, versions, months, results = facts
    assert 11_500 < stays <= 12_000
    assert values == 11, "one of the twelve has too few stays"
    assert versions == 1
    assert months > 6
    assert results == 135
    assert states == [("loaded",)]
    assert (home.reports / "quality" / "latest" / "zh.html").is_file()


def told(home: Home, table: str) -> list[dict[str, Any]]:
    with lake.connect(home) as connection:
        return evolved.rows(connection, table, key=KEY)


def followed(home: Home, *, until: date) -> dict[str, list[dict[str, Any]]]:
    """Return what was followed up to a month, whoever followed it."""
    return {
        table: [
            {name: value for name, value in row.items() if name not in OF_THE_RUN}
            for row in told(home, table)
            if row["month"] <= until
        ]
        for table in FOLLOWED
    }


def test_a_backfill_follows_month_after_month_and_comes_to_the_same(stack: Stack, home: Home) -> None:
    """Month by month it is what the chain's own run came to in one go, also after a run of it was cleared."""
    last = date(2025, 11, 1)
    expected = followed(home, until=last)
    assert all(expected.values())
    with lake.connect(home) as connection:
        newest = evolved.rows(connection, "evolution_month", key=KEY)[-1]["month"]
        evolved.rewrite(connection, {table: (date.min, []) for table in FOLLOWED}, key=KEY, newest=newest)
    body = {"from_date": "2025-11-01T00:00:00+08:00", "to_date": "2025-12-31T00:00:00+08:00", "max_active_runs": 1}
    with stack.api() as api:
        api._call("POST", "/api/v2/backfills", {"dag_id": "evolve_model", **body})
        begun = {run["logical_date"]: run["dag_run_id"] for run in api.runs("evolve_model") if run["logical_date"]}
        # The fourth at eight in the evening is the fifth at four in Shanghai.
        first, second = (begun[f"2025-{month}-04T20:00:00Z"] for month in (11, 12))
        ended(api, "evolve_model", first, second)
        by = {row["month"]: row["run"].split()[0] for row in told(home, "evolution_month")}
        assert followed(home, until=last) == expected
        assert [by.pop(last), set(by.values())] == [second, {first}], "each month once, the earlier first"
        api._call("POST", f"/api/v2/dags/evolve_model/dagRuns/{first}/clear", {"dry_run": False})
        ended(api, "evolve_model", first)
    assert followed(home, until=last) == expected
    assert {row["run"].split()[0] for row in told(home, "evolution_month")} == {first}


def test_a_removal_that_a_person_approves_holds_from_the_next_month(stack: Stack, home: Home) -> None:
    last = date(2025, 11, 1)
    proposed = {row["source"] for row in told(home, "evolution") if row["month"] == last and row["unapproved"]}
    source, *others = sorted(proposed)
    assert others, "one is approved, another is not"
    with stack.api() as api:

        def asked() -> list[dict[str, Any]]:
            return [one for one in api.asked("review_evolution") if f"Month**: {last:%Y-%m}" in one["body"]]

        def approved() -> list[dict[str, Any]]:
            # As with a shrunken file: whoever is asked again answers again.
            for question in asked():
                if f"{source}：" in question["subject"]:
                    api.answer(question, option="批准移除 · Approve the removal", params={"why": "长期有害"})
            return told(home, "approval")

        until(api, asked, many=len(proposed))
        (row,) = until(api, approved, many=1)
        assert (row["source"], row["standing"], row["approved"], row["person"], row["why"]) == (
            *(source, "removed", True, "admin", "长期有害"),
        )
        ended(api, "evolve_model", api.trigger("evolve_model", params={}))
        after = {row["source"]: row for row in told(home, "evolution") if row["month"] > last}
        assert (after[source]["standing"], after[source]["unapproved"], after[source]["state"]) == (
            *("removed", None, "resting"),
        )
        assert all(after[other]["standing"] != "removed" or after[other]["unapproved"] for other in others)
        assert len(asked()) == len(others), "each is asked about once, however often a month was followed"


def test_a_network_is_retrained_with_an_exact_last_layer(stack: Stack, home: Home) -> None:
    with stack.api() as api:
        ended(api, "retrain_networks", api.trigger("retrain_networks", params={}))
    with lake.connect(home) as connection:
        found = connection.execute(
            "SELECT model, exact, len(sources) FROM lake.knowledge.model_version WHERE step = 'retrain'"
        ).fetchall()
    ((model, exact, members),) = found
    assert (model, exact) == ("stay_cost_network", "17/2241")
    assert members > 1


def test_a_file_that_shrank_is_asked_about_and_lands_when_it_is_accepted(stack: Stack, home: Home) -> None:
    (home.deliveries / "contracts" / "t1").mkdir(parents=True)
    (home.deliveries / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (home.deliveries / "t1").mkdir()
    for name in ("drugs_1.csv", "drugs_2.csv"):
        deliver(home, name, 20)
    assert not land(home, deliveries=home.deliveries).held
    for name in ("drugs_1.csv", "drugs_2.csv"):
        deliver(home, name, 5)
    with stack.api() as api:
        api.trigger("ingest_deliveries", params={})
        first, second = sorted(
            until(api, lambda: api.asked("review_deliveries"), many=2), key=lambda asked: asked["subject"]
        )
        assert "t1/drugs_1.csv：20 → 5" in first["subject"]
        assert "- **来源 / Source**: t1" in first["body"]
        accept, back = first["options"]
        (waiting, *_) = waiting_files(home)
        assert waiting.file_name == "t1/drugs_1.csv"

        def accepted() -> Sequence[Delivery]:
            # Airflow loses an answer that comes before it has seen the task pause, and asks again
            # (apache/airflow#67287): whoever is asked again answers again.
            for asked in api.asked("review_deliveries"):
                if asked["subject"] == first["subject"]:
                    api.answer(asked, option=accept, params={"why": "科室撤并"})
            mine = (one for one in newest(home) if one.source_id == "t1")
            return [one for one in mine if (one.state, one.rows_in) == ("loaded", 5)]

        loaded = until(api, accepted, many=1)
        assert [(one.file_name, one.choice, one.decided_by, one.why) for one in loaded] == [
            ("t1/drugs_1.csv", "accept", "admin", "科室撤并")
        ]
        # The other is decided elsewhere first; the answer in Airflow comes too late and changes nothing.
        (other,) = waiting_files(home)
        decide(home, other.batch_id, choice="return", by="analyst", why="文件被截断")
        api.answer(second, option=accept, params={"why": "x"})
        run_id = second["task_instance"]["dag_run_id"]
        until(api, lambda: [run for run in api.runs("review_deliveries") if run["state"] == "success"], many=1)
        states = sorted(
            (task["task_id"], task["state"])
            for task in api.tasks("review_deliveries", run_id)
            if task["map_index"] == 1
        )
    assert states == [("review.ask", "success"), ("review.land_again", "skipped"), ("review.record", "skipped")]
    assert [
        (one.choice, one.decided_by) for one in newest(home) if one.file_name == "t1/drugs_2.csv" and one.choice
    ] == [("return", "analyst")]
