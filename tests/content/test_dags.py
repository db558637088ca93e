"""Every DAG, task, asset, schedule and form, exactly; one that appears, vanishes or changes shows here."""

import ast
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from headwater.adapters.airflow import ASSETS, HELD, HELD_ALIAS, PROPOSED, PROPOSED_ALIAS, VALUATION, Tag
from headwater.adapters.chain import CHAIN
from headwater.adapters.stack import POOLS
from headwater.adapters.terms import UNITS
from headwater.security import PROTECTIONS
from headwater.steps import approve
from headwater.steps.decide import CHOICES
from headwater.steps.deliveries import option as option_of
from headwater.valuation import approaches

PROJECT = Path(__file__).resolve().parents[2]
SHANGHAI = ZoneInfo("Asia/Shanghai")

# dag_id -> schedule, stage tag, tasks in order, params
EXPECTED: dict[str, tuple[str, Tag, dict[str, str], set[str]]] = {
    "ingest_deliveries": (
        "0 2 * * * Asia/Shanghai",
        Tag.INGEST,
        {"list_sources": "", "land_source": "mapped", "load_reference": "", "sum_up": "-> lake_raw-> files_held_alias"},
        {"deliveries", "sources", "always_continue"},
    ),
    "code_items": ("lake_raw", Tag.CODING, {"code": "-> lake_coding"}, {"anew"}),
    "build_warehouse": ("lake_coding", Tag.WAREHOUSE, {"build": "-> lake_marts"}, {"full_refresh"}),
    "group_stays": ("lake_marts", Tag.GROUPING, {"group": "-> lake_grouping"}, {"anew"}),
    "price_stays": ("lake_grouping", Tag.PAYMENT, {"price": "-> lake_payment"}, {"anew"}),
    "publish_indicators": (
        "lake_payment",
        Tag.INDICATORS,
        {"compare": "", "find": "", "build": "", "compute": "-> lake_indicators"},
        set(),
    ),
    "check_quality": ("lake_indicators", Tag.QUALITY, {"check": "", "publish": "-> quality_verdict"}, set()),
    "value_sources": (
        "quality_verdict",
        Tag.VALUATION,
        {"list_regions": "", "value_region": "mapped", "publish": "-> source_valuation"},
        {"task", "budget", "unit", "method", "protection", "region", "month", "seed"},
    ),
    "aggregate_knowledge": (
        "source_valuation",
        Tag.AGGREGATION,
        {
            "list_regions": "",
            "plan_join": "mapped",
            "cities.list_tiers": "",
            "cities.open_tier": "mapped",
            "region.open_tier": "mapped",
            "join_rounds": "mapped",
            "register": "mapped",
            "publish": "-> model_version",
        },
        {"task", "city_protection", "region_protection", "model", "region", "seed"},
    ),
    "evolve_model": (
        "source_valuation or 0 4 5 * * Asia/Shanghai",
        Tag.EVOLUTION,
        {
            "drain_inbox": "",
            "list_regions": "",
            "evolve_region": "mapped",
            "publish": "-> model_evolution-> removals_proposed_alias",
        },
        {"task", "region", "seed", "month", "hours", "bytes", "dry_run"},
    ),
    "review_deliveries": (
        "files_held",
        Tag.INGEST,
        {"list_waiting": "", "review.ask": "", "review.record": "", "review.land_again": ""},
        set(),
    ),
    "review_evolution": (
        "removals_proposed",
        Tag.EVOLUTION,
        {"list_proposals": "", "review.ask": "", "review.record": ""},
        set(),
    ),
    "take_withdrawals": (
        "0 * * * * Asia/Shanghai",
        Tag.EVOLUTION,
        {"take": "", "require_none_aside": ""},
        set(),
    ),
    "retrain_networks": (
        "0 4 5 1,4,7,10 * Asia/Shanghai",
        Tag.EVOLUTION,
        {"list_regions": "", "retrain_region": "mapped"},
        {"task", "region", "seed", "model"},
    ),
}
BESIDE = ("review_deliveries", "review_evolution", "take_withdrawals", "retrain_networks")

FURTHER = {
    "plan_join": {"region.open_tier", "join_rounds"},
    "cities.open_tier": {"join_rounds"},
}
"""Tasks that others wait for than the next one as well: those that open a region, and the join, read the plans."""

LISTS = ("list_waiting", "list_proposals")
"""Tasks that expand a group: every task of it waits for them."""

APART = {"load_reference"}
"""Tasks that wait for no other one, and that the last one waits for."""

LIGHT = {"headwater", "headwater.adapters", "headwater.adapters.airflow", "headwater.errors"}
HEAVY = {
    "dbt", "duckdb", "fastapi", "great_expectations", "mlflow", "numpy", "pandas", "psycopg", "pyarrow", "scipy",
    "sklearn", "torch",
}  # fmt: skip
CHINESE = re.compile(r"[一-鿿]")
ENGLISH = re.compile(r"[A-Za-z]{3}")


def parse(folder: Path, home: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    environment |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dag_snapshot.py")), str(folder)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(PROJECT / "dags", tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def dags(snapshot: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = snapshot["dags"]
    return found


def tasks(dag: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["__var"]["task_id"]: task["__var"] for task in dag["tasks"]}


def option(task: dict[str, Any], name: str) -> Any:
    return task.get(name, task.get("partial_kwargs", {}).get(name))


def outlets(task: dict[str, Any]) -> list[str]:
    return [asset["__var"]["name"] for asset in task.get("outlets", [])]


def schedule(dag: dict[str, Any]) -> str:
    timetable = dag["timetable"]["__var"]
    if "expression" in timetable:
        return f"{timetable['expression']} {timetable['timezone']}"
    found = ", ".join(asset["name"] for asset in timetable["asset_condition"]["objects"])
    return f"{found} or {schedule({'timetable': timetable['timetable']})}" if "timetable" in timetable else found


def forms(dags: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return DAG, parameter and its schema with default, title and description."""
    return [
        (dag_id, name, {"default": value["default"], "description": value["description"], **value["schema"]["__var"]})
        for dag_id, dag in dags.items()
        for name, value in dag.get("params", [])
    ]


def test_nothing_fails_to_import(snapshot: dict[str, Any]) -> None:
    assert snapshot["errors"] == {}


def test_the_dags_are_exactly_these(dags: dict[str, Any]) -> None:
    assert set(dags) == set(EXPECTED) == {path.stem for path in (PROJECT / "dags").glob("*.py")}
    assert tuple(EXPECTED) == (*CHAIN, *BESIDE)


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_a_dag_is_what_it_is_meant_to_be(dags: dict[str, Any], dag_id: str) -> None:
    dag, (cause, tag, expected, params) = dags[dag_id], EXPECTED[dag_id]
    found = {}
    for name, task in tasks(dag).items():
        mapped = "mapped" if task.get("_is_mapped") else ""
        found[name] = mapped or "".join(f"-> {asset}" for asset in outlets(task))
    assert found == expected
    order = [name for name in expected if name not in APART]
    following = {name: set(task.get("downstream_task_ids", [])) for name, task in tasks(dag).items()}
    assert all(set(order[index + 1 : index + 2]) <= following[name] for index, name in enumerate(order))
    further = {name: after - FURTHER.get(name, set()) for name, after in following.items()}
    assert all(len(after) == 1 for name, after in further.items() if name not in (order[-1], *LISTS))
    assert all(following[name] == {order[-1]} for name in APART & set(expected))
    assert schedule(dag) == cause
    assert dag["tags"] == sorted([Tag.HEADWATER, tag])
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == (16 if dag_id.startswith("review_") else 1)
    assert {name for name, _ in dag.get("params", [])} == params


def test_a_start_in_the_morning_makes_up_for_no_night(dags: dict[str, Any]) -> None:
    for dag_id in ("ingest_deliveries", "evolve_model", "take_withdrawals", "retrain_networks"):
        timetable = dags[dag_id]["timetable"]["__var"]
        timetable = timetable["timetable"]["__var"] if "timetable" in timetable else timetable
        # Airflow reads False as a tenth of the interval, and would run at once until half past four.
        assert timetable["run_immediately"] is not False
        assert float(timetable["run_immediately"]) == 0.0


def test_each_asset_is_written_once_and_starts_the_next_dag(dags: dict[str, Any]) -> None:
    written = {dag_id: [name for task in tasks(dag).values() for name in outlets(task)] for dag_id, dag in dags.items()}
    assert written["ingest_deliveries"].pop() == HELD_ALIAS, "what adds files_held when there are any"
    assert written["evolve_model"].pop() == PROPOSED_ALIAS, "what adds removals_proposed when there are any"
    assert schedule(dags["review_deliveries"]) == HELD.name
    assert schedule(dags["review_evolution"]) == PROPOSED.name
    assert [written[dag_id] for dag_id in CHAIN] == [[asset.name] for asset in ASSETS]
    causes = [schedule(dags[dag_id]).split(" or ")[0] for dag_id in CHAIN[1:]]
    # An evolution asks sources anew: it waits for data that were checked, and not for a model that they make together.
    assert causes == [asset.name for asset in (*ASSETS[:-2], VALUATION)]


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_the_documentation_tells_what_whose_from_where_and_what_if(dags: dict[str, Any], dag_id: str) -> None:
    doc = dags[dag_id]["doc_md"]
    for word in ("**Owner / 负责**:", "**Reads / 读取**:", "**Writes / 写入**:", "**If it fails / 如果失败**:"):
        assert word in doc
    for asset in EXPECTED[dag_id][2].values():
        for name in asset.split("-> ")[1:]:
            assert f"`{name.removesuffix('_alias')}`" in doc
    for text in (doc, dags[dag_id]["dag_display_name"]):
        assert CHINESE.search(text)
        assert ENGLISH.search(text)


def test_the_quality_report_is_one_click_away(dags: dict[str, Any]) -> None:
    links = tasks(dags["check_quality"])["check"]["_operator_extra_links"]
    assert set(links) == {"质量报告", "Quality report"}
    assert "/headwater/quality?lang=zh-CN" in dags["check_quality"]["doc_md"]
    assert "/headwater/quality?lang=en" in dags["check_quality"]["doc_md"]


def test_ids_are_ascii_and_names_are_in_both_languages(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert re.fullmatch(r"[a-z]+_[a-z]+", dag_id)
        for name, task in tasks(dag).items():
            assert re.fullmatch(r"[a-z_.]+", name)
            shown = option(task, "_task_display_name") or option(task, "task_display_name")
            assert CHINESE.search(shown), (dag_id, name)
            assert ENGLISH.search(shown), (dag_id, name)


def test_defaults_reach_every_task(dags: dict[str, Any]) -> None:
    retries = {}
    for dag_id, dag in dags.items():
        for name, task in tasks(dag).items():
            assert option(task, "owner") == "headwater"
            # Only people may take longer.
            limit = None if name == "review.ask" else 7200.0
            assert option(task, "execution_timeout") in (limit, {"__var": limit, "__type": "timedelta"})
            assert option(task, "has_on_failure_callback") is True, (dag_id, name)
            retries[f"{dag_id}.{name}"] = option(task, "retries")
            assert not option(task, "multiple_outputs")
    # A question is asked more than once again: Airflow may lose an answer.
    asked = {"review_deliveries.review.ask": 5, "review_evolution.review.ask": 5}
    once = dict.fromkeys(("check_quality.check", "take_withdrawals.require_none_aside"), 0)
    assert {name: count or 0 for name, count in retries.items() if count != 1} == once | asked


@pytest.mark.parametrize(
    ("dag_id", "shown"),
    [
        ("review_deliveries", [option_of(choice) for choice in CHOICES]),
        ("review_evolution", [approve.option(choice) for choice in approve.CHOICES]),
    ],
)
def test_the_question_has_the_choices_that_can_be_decided(dags: dict[str, Any], dag_id: str, shown: list[str]) -> None:
    tree = ast.parse((PROJECT / "dags" / f"{dag_id}.py").read_text(encoding="utf-8"))
    (options,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "OPTIONS"
    ]
    assert options == shown
    ((name, field),) = tasks(dags[dag_id])["review.ask"]["params"]
    assert (name, field["schema"]["__var"]["maxLength"]) == ("why", 500)


def test_two_years_can_be_made_up_for_by_a_backfill(dags: dict[str, Any]) -> None:
    """A backfill needs a timetable that comes round, which one of assets alone does not."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict({"__version": 3, "dag": dags["evolve_model"]})
    assert dag.timetable.periodic
    first, last = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)
    dates = [info.logical_date.astimezone(SHANGHAI) for info in dag.iter_dagrun_infos_between(first, last)]
    assert [(at.year, at.month) for at in dates] == [(2024 + n // 12, n % 12 + 1) for n in range(24)]
    assert {(at.day, at.hour) for at in dates} == {(5, 4)}
    # Runs of a backfill do not count against max_active_runs.
    assert option(tasks(dags["evolve_model"])["evolve_region"], "max_active_tis_per_dag") == 1


def test_one_warehouse_build_at_a_time(dags: dict[str, Any]) -> None:
    pools = {f"{d}.{t}": option(task, "pool") for d, dag in dags.items() for t, task in tasks(dag).items()}
    named = {name: pool for name, pool in pools.items() if pool not in (None, "default_pool")}
    assert named == {"build_warehouse.build": "warehouse", "publish_indicators.build": "warehouse"}
    assert POOLS["warehouse"][0] == 1


def test_every_parameter_is_a_form_field(dags: dict[str, Any]) -> None:
    found = forms(dags)
    assert len(found) == sum(len(params) for *_, params in EXPECTED.values())
    for dag_id, name, field in found:
        for text in (field["title"], field["description"]):
            assert CHINESE.search(text), (dag_id, name)
            assert ENGLISH.search(text), (dag_id, name)
        assert field["type"], (dag_id, name)
        jsonschema.validate(field["default"], field)
        if "integer" in field["type"]:
            assert {"minimum", "maximum"} <= set(field), (dag_id, name)
        if "string" in field["type"]:
            assert {"enum", "pattern", "maxLength"} & set(field), (dag_id, name)


def test_every_way_to_value_is_offered_but_the_one_that_needs_records(dags: dict[str, Any]) -> None:
    """Retraining needs the records."""
    field = next(field for dag_id, name, field in forms(dags) if (dag_id, name) == ("value_sources", "method"))
    assert set(field["enum"]) == {*approaches(), "private_sums"} - {"retraining"}


def test_sources_can_be_protected_and_paid_in_whatever_the_engine_knows(dags: dict[str, Any]) -> None:
    found = {name: field for dag_id, name, field in forms(dags) if dag_id == "value_sources"}
    # Encrypted sums need a holder of the key elsewhere: in this process it would hide nothing from itself.
    assert set(found["protection"]["enum"]) == set(PROTECTIONS) - {"ckks"}
    assert set(found["unit"]["enum"]) == {"sources", "bytes", *UNITS}
    jsonschema.validate("2025-06", found["month"])
    jsonschema.validate(2.5, found["budget"])


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    [
        ("value_sources", "budget", 0),
        ("value_sources", "budget", "8"),
        ("value_sources", "method", "guess"),
        ("value_sources", "unit", "hours"),
        ("value_sources", "protection", "none"),
        ("value_sources", "month", "2025-13"),
        ("value_sources", "month", "2025-06-01"),
        ("value_sources", "seed", -1),
        ("aggregate_knowledge", "city_protection", "none"),
        ("aggregate_knowledge", "region_protection", "clear"),
        ("aggregate_knowledge", "model", "../../etc/passwd"),
        ("retrain_networks", "model", "../../etc/passwd"),
        ("evolve_model", "bytes", -1),
        ("evolve_model", "dry_run", "yes"),
        ("evolve_model", "hours", "many"),
        ("evolve_model", "month", "2025-13"),
        ("ingest_deliveries", "deliveries", "relative/folder"),
        ("ingest_deliveries", "sources", "h0101"),
        ("build_warehouse", "full_refresh", "yes"),
        ("code_items", "anew", "yes"),
        ("group_stays", "anew", "yes"),
        ("price_stays", "anew", 1),
    ],
)
def test_a_bad_value_is_refused_by_the_form(dags: dict[str, Any], dag_id: str, name: str, value: object) -> None:
    field = next(field for d, n, field in forms(dags) if (d, n) == (dag_id, name))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, field)


def test_parsing_is_quick_and_light(snapshot: dict[str, Any]) -> None:
    assert sum(snapshot["seconds"].values()) < snapshot["machinery_seconds"], "all files take less than Airflow's own"
    loaded = {name for name in snapshot["modules"] if name.partition(".")[0] == "headwater"}
    assert loaded == LIGHT
    assert not {name.partition(".")[0] for name in snapshot["modules"]} & HEAVY


def test_files_stay_short() -> None:
    for path in (PROJECT / "dags").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 150, path


def test_the_guard_sees_a_broken_and_a_heavy_dag(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    heavy = "import numpy\nfrom airflow.sdk import dag\n@dag(schedule=None)\ndef heavy(): ...\nheavy()\n"
    (folder / "heavy.py").write_text(heavy, encoding="utf-8")
    (folder / "broken.py").write_text("from airflow.sdk import dag, nothing_of_that_name\n", encoding="utf-8")
    found = parse(folder, tmp_path / "airflow")
    assert list(found["dags"]) == ["heavy"]
    assert "numpy" in found["modules"]
    assert len(found["errors"]) == 1
