"""What sources are worth, and what became of it, is told in both languages within eighty columns."""

import json
import re
from unicodedata import east_asian_width

import pytest
from typer.testing import CliRunner

from headwater.cli import knowledge
from headwater.cli.main import app
from headwater.errors import Message
from headwater.steps.valued import SourceValue


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
    assert "honesty not examined" not in done.stdout
    assert {row[0] for row in rows if "✓" in row}.isdisjoint({"H02", "H03", "H04"})
    for words in ("chosen", "选用", "rank", "名次", "bureau alone 仅医保局", "exchanged 交换", "snapshot 快照"):
        assert words in done.stdout
    assert _fits(done.stdout)


def test_value_as_json_is_one_object(run):
    done = run("value", "--region", "值", "--json")
    told = json.loads(done.stdout)
    assert told["sources"] == 10
    assert (told["rounds"], told["leverage"]) == (1, 1.0)
    (first, *others) = told["lines"]
    assert len(others) == 9
    assert first["rank"] == 1
    assert first["judged_low"] < first["value"] < first["judged_high"]
    assert first["reason"]["en"].startswith("Chosen")


def test_a_source_that_is_refused_is_named_with_the_reason(run):
    said = run("value", "--region", "缺").stdout
    assert "refused 未采用 H07" in said
    for words in ("not finite", "非有限数", "must be empty, not NaN", "缺失值应为空值"):
        assert words in said


@pytest.mark.parametrize(
    ("words", "code", "zh", "en"),
    [
        (("--method", "guess"), "E-UNKNOWN-NAME", "可用：", "Known:"),
        (("--budget", "0"), "E-SELECT-BUDGET", "请把预算提高到至少", "Raise the budget"),
        (("--protect", "masked"), "E-VALUE-PROTECTION", "请改用方法", "Use the method sums"),
        (("--protect", "guess"), "E-UNKNOWN-NAME", "可用：", "Known:"),
        (("--unit", "guess"), "E-VALUE-COST", "不知道各来源的成本", "is not known"),
        (("--frontier", "--region", "nowhere"), "E-FEATURE-REGION", "可用：", "Known:"),
        (("--frontier", "--task", "guess"), "E-FEATURE-MART", "没有特征表", "no feature mart"),
    ],
)
def test_what_cannot_be_done_is_refused_in_both_languages(run, words, code, zh, en):
    done = run("value", "--region", "值", *words) if "--task" not in words else run("value", *words)
    assert done.exit_code == 2
    for told in (code, zh, en):
        assert told in done.stderr


def test_how_sure_a_rank_is_rests_on_other_judging_records_where_that_is_known():
    sampled = dict(low=1.9, high=2.1, rank=2, rank_low=2, rank_high=2, stability=0.999)
    unknown = dict.fromkeys(("judged_low", "judged_high", "judged_rank_low", "judged_rank_high", "judged_stability"))
    common = dict(source="s", city="c", stays=1, value=2.0, selected=False, bytes=1, cost=1.0, reason=Message("", ""))
    line = SourceValue(**common, **sampled, **unknown)
    assert knowledge._certainty(line) == ("+1.900 +2.100", "2", "100 %")
    judged = dict(judged_low=1.0, judged_high=3.0, judged_rank_low=1, judged_rank_high=4, judged_stability=0.5)
    assert knowledge._certainty(SourceValue(**common, **sampled, **judged)) == ("+1.000 +3.000", "2 (1–4)", "50 %")


def test_only_sums_leave_and_a_budget_in_bytes_is_obeyed(run):
    done = run("value", "--region", "值", "--method", "sums", "--protect", "masked")
    assert "可归属单源 4 bytes" in done.stdout
    assert "unknown 未知" in done.stdout
    assert "100.0 %" not in done.stdout
    assert "noise and scatter" in " ".join(done.stdout.split())
    assert "other records of the bureau judged" not in done.stdout
    assert "adds +" not in done.stdout
    assert "protection 保护 masked" in done.stdout
    assert "honesty not examined" in done.stdout
    paid = json.loads(run("value", "--region", "值", "--unit", "bytes", "--budget", "90000", "--json").stdout)
    costs = {line["source"]: line["cost"] for line in paid["lines"]}
    assert paid["spent"] == sum(costs[source] for source in paid["selected"]) <= 90_000
    assert paid["spent"] + min(costs[source] for source in costs.keys() - set(paid["selected"])) > 90_000
    assert paid["budget"] == "90000 bytes"


@pytest.mark.parametrize(
    ("method", "doubted"), [("auto", "had other records of the bureau judged"), ("banzhaf", "no other judges")]
)
def test_the_note_says_what_intervals_leave_open_under_this_method(run, method, doubted):
    said = " ".join(run("value", "--region", "值", "--method", method).stdout.split())
    assert doubted in said
    assert ("had other records" in said) == (method == "auto")


def test_retraining_is_done_on_the_paid_claims(run):
    done = run("value", "--region", "短", "--method", "retraining", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["method"].startswith("retraining/")


def test_a_folder_that_is_not_there_is_said_in_a_sentence(run, tmp_path, monkeypatch):
    # A refusal is framed, and a frame would break a long path anywhere.
    monkeypatch.setenv("COLUMNS", "1000")
    done = run("audit", "prove", "1", "--out", str(tmp_path / "nowhere"))
    assert done.exit_code == 2
    assert "nowhere" in done.output
    assert not isinstance(done.exception, OSError)


def test_aggregate_and_evolve_tell_scores_and_actions(run, unfollowed):
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
    assert re.search(r"\d{4}-\d\d +H05 +demote 降级", evolved.stdout)
    rehearsed = run("evolve", "--region", "坏", "--month", "2024-05", "--dry-run", "--hours", "1")
    assert rehearsed.exit_code == 0, rehearsed.output
    for words in ("dry run", "预演", "months 月 2 · new 新跟踪 2"):
        assert words in rehearsed.stdout
    assert "zh.html" not in rehearsed.stdout
    rehearsed = run("evolve", "--region", "坏", "--month", "2024-05", "--dry-run", "--hours", "1")
    assert rehearsed.exit_code == 0, rehearsed.output
    for words in ("dry run", "预演", "months 月 2 · new 新跟踪 2"):
        assert words in rehearsed.stdout
    assert "zh.html" not in rehearsed.stdout
    assert _fits(joined.stdout)
    assert _fits(evolved.stdout)
    assert "{" not in joined.stdout + evolved.stdout
