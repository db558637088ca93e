"""Indicators from a file to values in the lake, by the steps and by the command line."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from headwater.adapters import indicators as register
from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.bench.grouping_indicators import made_up
from headwater.claims.indicators import FormulaRefusal, Indicator, from_document, to_document
from headwater.cli.main import app
from headwater.content.indicators import read_indicators
from headwater.errors import Refusal
from headwater.steps import indicators

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


@pytest.fixture
def marts(home: Home) -> Home:
    """Give an installation whose marts hold some made-up stays."""
    with lake.connect(home) as connection:
        made_up(connection, 2_000)
    return home


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


def test_versions_are_numbered_and_never_changed(home: Home) -> None:
    first = indicators.define(home, from_document(COST), by="a")
    assert indicators.define(home, from_document(COST), by="b") == first
    second = indicators.define(home, from_document({**COST, "scope": "is_dead"}), by="b")
    again = indicators.define(home, from_document(COST), by="a")
    assert [first.indicator.version, second.indicator.version, again.indicator.version] == [1, 2, 3]
    assert [one.defined_by for one in indicators.history(home, "cost")] == ["a", "b", "a"]
    for statement in ("update ops.indicator set version = 9", "delete from ops.indicator", "truncate ops.indicator"):
        with postgres.connect(home) as connection, pytest.raises(psycopg.Error, match="never changed"):
            connection.execute(statement)


def test_circles_and_broken_dependants_are_refused(home: Home) -> None:
    indicators.define(home, from_document(COST), by="a")
    indicators.define(home, from_document(OLD), by="a")
    with pytest.raises(FormulaRefusal, match="cost → old → cost") as refused:
        indicators.define(home, from_document({**COST, "formula": "1 + @old", "unit": "1"}), by="a")
    assert (refused.value.line, refused.value.column) == (1, 5)
    with pytest.raises(Refusal, match="E-INDICATOR-DEPENDENT"):
        indicators.define(home, from_document({**COST, "formula": "count()", "unit": "stay"}), by="a")
    assert len(indicators.history(home, "cost")) == 1


def test_an_empty_grain_is_one_cell_of_all_stays(marts: Home) -> None:
    whole = {**COST, "formula": "count()", "unit": "stay", "grain": []}
    cells = indicators.preview(marts, from_document(whole), months=120)
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
        plain = connection.execute(
            "SELECT avg(medfee_sumamt) FROM lake.marts.fct_stay WHERE is_valid AND hospital_id = 'h1:A' "
            "AND discharge_month = (SELECT min(discharge_month) FROM lake.indicator.value WHERE hospital_id = 'h1:A')"
        ).fetchone()
        found = connection.execute(
            "SELECT value FROM lake.indicator.value WHERE indicator = 'cost' AND hospital_id = 'h1:A' "
            "ORDER BY discharge_month LIMIT 1"
        ).fetchone()
    assert counts is not None
    assert counts == (report.values, counts[1], 1, 1, 0)
    assert alerts == (counts[1], "high", 50000.0, "价格处", True)
    assert report.alerts == counts[1] > 0
    assert found == pytest.approx(plain)


def test_what_no_longer_holds_is_refused_by_name_and_the_rest_is_computed(marts: Home) -> None:
    gone = Indicator(name="gone", zh="x", en="x", formula="sum(vanished)", unit="1", owner="x", version=1)
    indicators.define(marts, from_document(COST), by="a")
    # It held when it was defined, and then its field was published no longer.
    with postgres.connect(marts) as connection:
        register.store(connection, gone, by="a")
    report = indicators.compute(marts, on=date(2026, 12, 31))
    assert report.computed == 1
    assert [one.name for one in report.refused] == ["gone"]
    assert "vanished" in report.refused[0].reason.en


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
    assert "次均费用" in run.invoke(app, ["indicator", "show", "cost"]).output
    wrong = written(tmp_path, {**COST, "formula": "sum(medfee_sumamt) / sum(drug_amonut)"})
    told = run.invoke(app, ["indicator", "define", str(wrong)])
    assert told.exit_code == 2
    assert "第 1 行第 26 列" in told.output
    assert " " * 25 + "^" * 11 in told.output
