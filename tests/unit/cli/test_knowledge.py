"""What sources are worth, and what became of it, is told in both languages within eighty columns."""

import json
import re
from unicodedata import east_asian_width

import pytest
from typer.testing import CliRunner

from headwater.cli import knowledge
from headwater.cli.main import app
from headwater.steps.value import SourceValue


@pytest.fixture
def run(region_home, monkeypatch):
    monkeypatch.setenv("HEADWATER_HOME", str(region_home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(region_home.project))
    monkeypatch.setenv("COLUMNS", "80")

    def invoke(*words):
        return CliRunner().invoke(app, words)

    return invoke


def _width(line):
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line)


def _fits(said):
    # A path is printed whole, so that it can be copied.
    return all(_width(line.rstrip()) <= 80 for line in said.splitlines() if "/" not in line)


def test_value_tells_every_source_and_what_was_exchanged(run):
    done = run("value", "--region", "值")
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"\s*H\d\d  ", line)]
    assert [row[0] for row in rows].count("H07") == 1
    assert len(rows) == 10
    values = [float(next(word for word in row if word[0] in "+-")) for row in rows]
    assert values == sorted(values, reverse=True)
    assert {row[0] for row in rows if "✓" in row}.isdisjoint({"H02", "H03", "H04"})
    for words in ("chosen", "选用", "rank", "名次", "bureau alone 仅医保局", "exchanged 交换", "snapshot 快照"):
        assert words in done.stdout
    assert _fits(done.stdout)


def test_value_as_json_is_one_object(run):
    done = run("value", "--region", "值", "--json")
    assert json.loads(done.stdout)["sources"] == 10


def test_a_source_that_is_refused_is_named_with_the_reason(run):
    said = run("value", "--region", "缺").stdout
    assert "refused 未采用 H07" in said
    assert "not finite" in said
    assert "非有限数" in said


@pytest.mark.parametrize(
    ("words", "code", "zh", "en"),
    [
        (("--method", "guess"), "E-UNKNOWN-NAME", "可用：", "Known:"),
        (("--budget", "0"), "E-SELECT-BUDGET", "请提高预算", "Raise the budget"),
        (("--frontier", "--region", "nowhere"), "E-FEATURE-REGION", "可用：", "Known:"),
        (("--frontier", "--task", "guess"), "E-FEATURE-MART", "没有特征表", "no feature mart"),
    ],
)
def test_what_cannot_be_done_is_refused_in_both_languages(run, words, code, zh, en):
    done = run("value", "--region", "值", *words) if "--task" not in words else run("value", *words)
    assert done.exit_code == 2
    for told in (code, zh, en):
        assert told in done.stderr


def test_where_intervals_overlap_the_ranks_they_leave_open_are_told():
    def line(value, reach):
        return SourceValue("s", "c", 1, value, value - reach, value + reach, False, 1)

    sure = knowledge._ranks((line(3.0, 0.1), line(2.0, 0.1), line(1.0, 0.1)))
    assert sure == ["1", "2", "3"]
    unsure = knowledge._ranks((line(3.0, 0.1), line(2.0, 0.6), line(1.0, 0.6)))
    assert unsure == ["1", "2 (2–3)", "3 (2–3)"]


def test_aggregate_and_evolve_tell_scores_and_actions(run):
    run("value", "--region", "汇")
    joined = run("aggregate", "--region", "汇")
    assert joined.exit_code == 0, joined.output
    for words in ("this model 本模型", "bureau alone 仅医保局", "pooled", "version 版本", "champion"):
        assert words in joined.stdout
    evolved = run("evolve", "--region", "演")
    assert evolved.exit_code == 0, evolved.output
    for words in ("months 月 13", "下月误差", "versions 版本", "zh.html"):
        assert words in evolved.stdout
    # H05 turns to noise half-way.
    assert re.search(r"\d{4}-\d\d +H05 +drop 移除", evolved.stdout)
    assert _fits(joined.stdout)
    assert _fits(evolved.stdout)
    assert "{" not in joined.stdout + evolved.stdout
