"""Indicators from a file to values in the lake, by the steps and by the command line."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from headwater.adapters import indicator_values, lake, postgres
from headwater.adapters import indicators as register
from headwater.adapters.home import Home
from headwater.bench.grouping_indicators import made_up
from headwater.claims.indicators import FormulaRefusal, Indicator, from_document, to_document
from headwater.cli.main import app
from headwater.content.indicators import read_indicators
from headwater.errors import Refusal
from headwater.steps import indicators

PROJECT = Path(__file__).resolve().parents[3]
COST = {
    "name": "cost",
    "zh": "次均费用",
    "en": "cost of a stay",
    "formula": "sum(medfee_sumamt) / count()",
    "unit": "CNY/stay",
    "owner": "价格处",
    "threshold": {"high": "50000"},
}
OLD = {
    **COST,
    "name": "old",
    "formula": "@cost / avg(stay_days)",
    "unit": "CNY/stay/day",
    "scope": "age_years > 90 year",
}


@pytest.fixture(scope="module")
def built(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Give an installation whose marts hold some made-up stays, for all tests of the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(postgres.DSN_VARIABLE, server)
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            for database in postgres.DATABASES:
                connection.execute(f'drop database if exists "{database}" with (force)')
        made = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
        postgres.prepare(made)
        with lake.connect(made) as connection:
            made_up(connection, 2_000)
        yield made


@pytest.fixture
def marts(built: Home, server: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give it without indicators."""
    monkeypatch.setenv(postgres.DSN_VARIABLE, server)
    monkeypatch.setenv("HEADWATER_HOME", str(built.root))
    with postgres.connect(built) as connection:
        connection.execute("drop table ops.indicator_retirement, ops.indicator")
        connection.execute("comment on schema ops is null")
    postgres.prepare(built)
    return built


def written(folder: Path, *documents: dict[str, object]) -> Path:
    file = folder / "defined.yml"
    file.write_text("\n---\n".join(json.dumps(one, ensure_ascii=False) for one in documents), encoding="utf-8")
    return file


def test_a_definition_survives_its_document() -> None:
    indicator = from_document({**OLD, "references": ["a"], "valid_from": "2026-01-31", "grain": ["region"]})
    assert from_document(to_document(indicator)) == indicator
    assert from_document(COST).high == Decimal(50000)
    assert from_document(COST).digest != from_document({**COST, "threshold": {"high": 50001}}).digest


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": "Cost"}, "name"),
        ({"formula": " "}, "formula"),
        ({"colour": "red"}, "colour"),
        ({"direction": "up"}, "direction"),
        ({"threshold": {"low": 2, "high": 1}}, "threshold"),
        ({"threshold": {"high": "much"}}, "threshold"),
        ({"threshold": {"high": "NaN"}}, "threshold"),
        ({"threshold": 5}, "threshold"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"grain": [1]}, "grain"),
        ({"zh": "\u202e"}, "zh"),
        ({"references": ["a\0b"]}, "references"),
    ],
)
def test_a_definition_that_is_wrong_is_refused_by_its_key(change: dict[str, object], key: str) -> None:
    with pytest.raises(Refusal, match=f"E-INDICATOR: {key} "):
        from_document({**COST, **change})


DEEP = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize(
    "text", ["", "- 1", "a: &x 1\nb: *x", "{", "\x00", "just text", "a: 1\na: 2", DEEP], ids=lambda text: text[:10]
)
def test_a_file_without_definitions_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match="E-INDICATOR-FILE"):
        read_indicators(tmp_path / "x.yml")


def test_an_empty_grain_is_the_whole_region() -> None:
    whole = from_document({**COST, "grain": []})
    assert whole.grain == ()
    assert from_document(to_document(whole)) == whole


def test_versions_are_numbered_and_never_changed(marts: Home) -> None:
    (first,) = indicators.define(marts, from_document(COST), by="a")
    assert indicators.define(marts, from_document(COST), by="b") == [first]
    (second,) = indicators.define(marts, from_document({**COST, "scope": "is_dead"}), by="b")
    (again,) = indicators.define(marts, from_document(COST), by="a")
    assert [first.indicator.version, second.indicator.version, again.indicator.version] == [1, 2, 3]
    assert [one.defined_by for one in indicators.history(marts, "cost")] == ["a", "b", "a"]
    indicators.retire(marts, "cost", signed=("c", "x"))
    tables = ("ops.indicator", "ops.indicator_retirement")
    for statement in [f"{what} {table}" for table in tables for what in ("delete from", "truncate")]:
        with postgres.connect(marts) as connection, pytest.raises(psycopg.Error, match="never changed|foreign key"):
            connection.execute(statement)


def test_circles_and_broken_dependants_are_refused(marts: Home) -> None:
    indicators.define(marts, from_document(COST), by="a")
    indicators.define(marts, from_document(OLD), by="a")
    with pytest.raises(FormulaRefusal, match="cost → old → cost") as refused:
        indicators.define(marts, from_document({**COST, "formula": "1 + @old", "unit": "1"}), by="a")
    assert (refused.value.line, refused.value.column) == (1, 5)
    with pytest.raises(Refusal, match="E-INDICATOR-DEPENDENT"):
        indicators.define(marts, from_document({**COST, "formula": "count()", "unit": "stay"}), by="a")
    assert len(indicators.history(marts, "cost")) == 1


def test_an_empty_grain_is_one_cell_of_all_stays(marts: Home) -> None:
    whole = {**COST, "formula": "count()", "unit": "stay", "grain": []}
    (cells,) = indicators.preview(marts, from_document(whole), months=120)
    apart = [(cell["currency"], cell["origin"]) for cell in cells]
    assert len(set(apart)) == len(apart) > 0
    indicators.define(marts, from_document(whole), by="a")
    assert indicators.compute(marts, on=date(2026, 12, 31)).values == len(cells)


def test_values_and_alerts_are_computed_and_counted(marts: Home) -> None:
    for document in (COST, OLD, {**COST, "name": "later", "valid_from": "2027-01-01"}):
        indicators.define(marts, from_document(document), by="a")
    report = indicators.compute(marts, on=date(2026, 12, 31))
    assert (report.defined, report.computed, report.refused) == (2, 2, ())
    assert indicators.compute(marts, on=date(2026, 12, 31)).values == report.values
    with lake.connect(marts) as connection:
        counts = connection.execute(
            "SELECT count(*), count(*) FILTER (value > 50000), min(stays), "
            "count(DISTINCT snapshot_id), count(insutype) FROM lake.indicator.value"
        ).fetchone()
        alerts = connection.execute(
            "SELECT count(*), min(side), min(threshold), min(owner), bool_and(value > 50000) FROM lake.indicator.alert"
        ).fetchone()
        found = connection.execute(
            "SELECT hospital_id, discharge_month, currency, origin, value, stays FROM lake.indicator.value "
            "WHERE indicator = 'cost' AND withheld IS NULL ORDER BY ALL LIMIT 1"
        ).fetchone()
        assert found is not None
        plain = connection.execute(
            "SELECT avg(medfee_sumamt), count(*) FROM lake.marts.fct_stay WHERE is_valid AND hospital_id = ? "
            "AND discharge_month = ? AND currency = ? AND origin = ?",
            list(found[:4]),
        ).fetchone()
    assert counts is not None
    assert counts == (report.values, counts[1], 10, 1, 0)
    assert alerts == (counts[1], "high", 50000.0, "价格处", True)
    assert report.alerts == counts[1] > 0
    assert found[4:] == pytest.approx(plain)


def shown(home: Home) -> list[dict[str, object]]:
    with lake.connect(home) as connection:
        return connection.execute("SELECT * FROM lake.indicator.value").to_arrow_table().to_pylist()


def test_what_few_stays_make_is_nowhere_shown_and_says_why(marts: Home) -> None:
    of_hospital = {**COST, "name": "stays", "formula": "count()", "unit": "stay"}
    (cells,) = indicators.preview(marts, from_document(of_hospital), months=120, limit=1000)
    indicators.define(marts, from_document(of_hospital), by="a")
    report = indicators.compute(marts, on=date(2026, 12, 31))
    rows = shown(marts)
    assert len(cells) == len(rows) == report.values
    for row in [*rows, *cells, *indicators.values(marts, "stays", limit=1000)]:
        withheld = row["withheld"] in ("small", "complementary")
        assert withheld == (row["value"] is None) == (row["stays"] is None)
        assert withheld or row["stays"] >= 10
    reasons = [row["withheld"] for row in rows if row["withheld"]]
    assert "small" in reasons
    assert report.withheld == len(reasons) < len(rows)
    # The months of a hospital that are not shown can be told from its total neither one by one nor as a small group.
    for hospital in {row["hospital_id"] for row in rows}:
        hidden = [row for row in rows if row["hospital_id"] == hospital and row["withheld"]]
        assert len(hidden) != 1


def test_without_the_guard_small_cells_would_be_told(marts: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indicator_values, "_withhold", lambda connection: None)
    indicators.define(marts, from_document(COST), by="a")
    indicators.compute(marts, on=date(2026, 12, 31))
    assert min(row["stays"] for row in shown(marts)) < 10


def test_the_definitions_of_a_file_are_stored_all_or_none(marts: Home) -> None:
    broken = {**COST, "name": "broken", "formula": "sum(nothing)"}
    with pytest.raises(FormulaRefusal):
        indicators.define(marts, from_document(COST), from_document(broken), by="a")
    with pytest.raises(Refusal, match="E-INDICATOR-TWICE"):
        indicators.define(marts, from_document(COST), from_document({**COST, "zh": "又"}), by="a")
    assert indicators.listed(marts) == []
    # One that refers to another may stand before it.
    stored = indicators.define(marts, from_document(OLD), from_document(COST), by="a")
    assert [one.indicator.version for one in stored] == [1, 1]


def test_what_is_retired_is_computed_no_more_and_kept(marts: Home) -> None:
    indicators.define(marts, from_document(COST), from_document(OLD), by="a")
    with pytest.raises(Refusal, match="E-INDICATOR-DEPENDENT"):
        indicators.retire(marts, "cost", signed=("li", "无用"))
    with pytest.raises(Refusal, match="E-INDICATOR-WHO"):
        indicators.retire(marts, "old", signed=("li", " "))
    with pytest.raises(Refusal, match="E-INDICATOR-NONE"):
        indicators.retire(marts, "none", signed=("li", "无用"))
    done = indicators.retire(marts, "old", signed=("li", "无用"))
    assert done.retirement is not None
    assert (done.retirement.retired_by, done.retirement.why) == ("li", "无用")
    with pytest.raises(Refusal, match="E-INDICATOR-RETIRED: .*li"):
        indicators.retire(marts, "old", signed=("li", "无用"))
    assert [one.indicator.name for one in indicators.listed(marts)] == ["cost"]
    assert indicators.compute(marts, on=date(2026, 12, 31)).defined == 1
    assert {row["indicator"] for row in shown(marts)} == {"cost"}
    # The same definition again is a version of its own, as the one before stays retired.
    (again,) = indicators.define(marts, from_document(OLD), by="a")
    assert (again.indicator.version, again.retirement) == (2, None)
    assert [one.retirement is None for one in indicators.history(marts, "old")] == [True, False]


def test_without_definitions_nothing_is_computed(marts: Home) -> None:
    assert indicators.compute(marts, on=date(2026, 12, 31)).defined == 0


def test_a_month_keeps_the_version_that_was_in_force_on_its_first_day(marts: Home) -> None:
    days = {**COST, "name": "days", "formula": "avg(stay_days)", "unit": "day"}
    with lake.connect(marts) as connection:
        rows = connection.execute("SELECT DISTINCT discharge_month FROM lake.marts.fct_stay ORDER BY ALL").fetchall()
    middle = rows[len(rows) // 2][0]
    later = middle.replace(day=2)
    refers = {**days, "name": "double", "formula": "2 * @days"}
    indicators.define(marts, from_document(days), from_document(refers), by="a")
    indicators.define(marts, from_document({**days, "formula": "0 * avg(stay_days)", "valid_from": later}), by="a")
    whole = {**days, "name": "whole", "grain": ["hospital_id"], "formula": "@days"}
    indicators.define(marts, from_document(whole), by="a")
    indicators.compute(marts, on=date(2026, 12, 31))
    told = [row for row in shown(marts) if row["value"] is not None]
    assert {(row["discharge_month"] > middle, row["version"]) for row in told if row["indicator"] == "days"} == {
        (False, 1),
        (True, 2),
    }
    # What refers to it follows it month by month; what has no month in its grain is of the newest version.
    assert all((row["value"] > 0) == (row["discharge_month"] <= middle) for row in told if row["indicator"] == "double")
    assert {row["value"] for row in told if row["indicator"] == "whole"} == {0.0}
    # Before its day the second version is not known.
    indicators.compute(marts, on=middle)
    assert {row["version"] for row in shown(marts) if row["indicator"] == "days"} == {1}


def test_what_no_longer_holds_is_refused_by_name_and_the_rest_is_computed(marts: Home) -> None:
    gone = Indicator(name="gone", zh="x", en="x", formula="sum(vanished)", unit="1", owner="x", version=1)
    indicators.define(marts, from_document(COST), by="a")
    # It held when it was defined, and then its field was published no longer.
    with postgres.connect(marts) as connection:
        register.store(connection, gone, by="a")
        # Nor could a dimension that stands twice always be refused.
        register.store(connection, replace(from_document(COST), name="twice", grain=("hospital_id",) * 2), by="a")
    report = indicators.compute(marts, on=date(2026, 12, 31))
    assert report.computed == 1
    assert sorted(one.name for one in report.refused) == ["gone", "twice"]
    said = {one.name: one.reason.en for one in report.refused}
    assert "vanished" in said["gone"]
    assert "hospital_id twice" in said["twice"]


def test_the_command_line(marts: Home, tmp_path: Path) -> None:
    run = CliRunner()
    file = written(tmp_path, COST, OLD)
    one = tmp_path / "one.yml"
    one.write_text(json.dumps(COST), encoding="utf-8")
    cells = json.loads(run.invoke(app, ["indicator", "preview", str(one), "--json"]).output)["previews"][0]["cells"]
    assert len(cells) == 20
    assert {"hospital_id", "discharge_month", "value", "stays"} <= set(cells[0])
    assert run.invoke(app, ["indicator", "list"]).exit_code == 0
    defined = json.loads(run.invoke(app, ["indicator", "define", str(file), "--by", "me", "--json"]).output)
    assert [one["indicator"]["version"] for one in defined["indicators"]] == [1, 1]
    assert json.loads(run.invoke(app, ["indicator", "compute", "--json"]).output)["computed"] == 2
    told = run.invoke(app, ["indicator", "show", "cost", "--limit", "1000"])
    assert "次均费用" in told.output
    assert "不足 10 例" in told.output
    assert "null" not in told.output.lower()
    assert max(map(len, told.output.splitlines())) <= 80
    assert run.invoke(app, ["indicator", "retire", "old", "--why", "无用", "--by", "li"]).exit_code == 0
    kept = json.loads(run.invoke(app, ["indicator", "history", "old", "--json"]).output)["versions"]
    assert kept[0]["retirement"]["why"] == "无用"
    assert "无用" in run.invoke(app, ["indicator", "history", "old"]).output
    wrong = written(tmp_path, {**COST, "formula": "sum(medfee_sumamt) / sum(drug_amonut)"})
    told = run.invoke(app, ["indicator", "define", str(wrong)])
    assert told.exit_code == 2
    assert "第 1 行第 26 列" in told.output
    assert " " * 25 + "^" * 11 in told.output
