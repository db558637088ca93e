"""Versions are listed, shown, taken back, computed again and traced on the command line, in both languages."""

import json

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from headwater.adapters import lake, postgres
from headwater.cli.main import app

NAME = "stay_cost-值"
SIGNED = ("--by", "王", "--why", "as they asked")


@pytest.fixture(scope="module")
def run(region_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_HOME", str(region_home.root))
        patch.setenv("HEADWATER_PROJECT", str(region_home.project))
        patch.setenv("COLUMNS", "80")

        def invoke(*words):
            return CliRunner().invoke(app, words)

        for words in (("value",), ("aggregate", "--protect", "clear", "required"), ("evolve",)):
            done = invoke(*words, "--region", "值")
            assert done.exit_code == 0, done.output
        yield invoke


def told(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def test_versions_are_listed_and_one_of_them_serves(run):
    found = told(run("model", "list", NAME, "--json"))["versions"]
    assert len(found) > 1
    assert sum(one["serves"] for one in found) == 1
    said = run("model", "list", NAME).stdout
    assert "champion 现役" in said
    assert f"{NAME}/1" in said
    assert max(map(cell_len, said.splitlines())) <= 80
    assert all(one["month"][:7] in said for one in found if one["month"]), "a month is not broken in two"


def test_a_version_tells_its_sources_their_value_then_and_its_comparison(run):
    serving = next(one for one in told(run("model", "list", NAME, "--json"))["versions"] if one["serves"])
    shown = told(run("model", "show", serving["label"], "--json"))
    assert {one["source"] for one in shown["members"]} == set(serving["sources"])
    assert shown["served"][0]["low"] > 0
    said = run("model", "show", serving["label"]).stdout
    for words in ("value", "当时价值", "parent 父版本", "audit entry 审计条目", "exact 精确参数"):
        assert words in said


def test_a_version_is_computed_again_from_the_command_line(run):
    for number in (1, 2):
        again = told(run("model", "reproduce", f"{NAME}/{number}", "--json"))
        assert again["is_whole"]
        assert again["parameters"] <= 1e-9
    assert "bit for bit 逐位相同" in run("model", "reproduce", f"{NAME}/1").stdout


def test_a_prediction_is_traced_from_the_command_line(run, region_home):
    with lake.connect(region_home, threads=1) as connection:
        (stay,) = connection.execute(
            "SELECT min(stay_id) FROM lake.knowledge.prediction WHERE region = '值'"
        ).fetchone()
        connection.execute("DELETE FROM lake.knowledge.prediction WHERE stay_id = ? AND region <> '值'", [stay])
    found = told(run("model", "lineage", stay, "--json"))
    assert found["line"]["name"] == NAME
    assert found["champion"] == found["shown"]["version"]
    assert {kind for _, kind in found["entries"]} >= {"model_version", "champion"}
    assert found["drifts"] or found["line"]["step"] == "aggregate"
    assert "predicted 预测" in run("model", "lineage", stay).stdout


def test_what_cannot_be_done_ends_with_two_and_says_why(run):
    for words, code in (
        (("model", "show", "nonsense"), "E-VERSION-LABEL"),
        (("model", "show", f"{NAME}/999"), "E-VERSION-UNKNOWN"),
        (("model", "rollback", NAME, "--to", "999"), "E-ROLLBACK-NONE"),
        (("model", "lineage", "none"), "E-LINEAGE-STAY"),
        (("withdraw",), "E-WITHDRAW-WHO"),
        (("withdraw", "--source", "H07"), "E-WITHDRAW-WHY"),
        (("withdraw", "--source", "H07", "--by", "王"), "E-WITHDRAW-WHY"),
        (("withdraw", "--source", "H07", "--why", "x", "--revoke"), "E-WITHDRAW-WHY"),
        (("withdraw", "--source", "H99", *SIGNED), "E-WITHDRAW-UNKNOWN"),
        (("withdraw", "--source", "H99", "--revoke", *SIGNED), "E-WITHDRAW-NONE"),
        (("withdraw", "--source", "H99", "--dry-run"), "E-WITHDRAW-UNKNOWN"),
        (("withdraw", "--source", "H07", "--revoke", "--dry-run"), "--dry-run"),
    ):
        done = run(*words)
        assert done.exit_code == 2, done.output
        assert code in done.stderr


def test_a_withdrawal_is_foreseen_from_the_command_line_and_nothing_is_done(run, region_home):
    def entered():
        with postgres.connect(region_home) as connection:
            return connection.execute("select count(*) from ops.audit").fetchone()

    before = entered()
    serving = next(one for one in told(run("model", "list", NAME, "--json"))["versions"] if one["serves"])
    found = told(run("withdraw", "--source", serving["sources"][0], "--dry-run", "--json"))
    (mine,) = [one for one in found["models"] if one["region"] == "值"]
    outlook, word = ("subtracted", "would be subtracted") if serving["is_held"] else ("sums", "Nothing single is held")
    assert (found["dry"], mine["serves"], mine["outlook"]) == (True, serving["label"], outlook)
    assert serving["label"] in mine["closed"]
    said = run("withdraw", "--source", serving["sources"][0], "--dry-run").stdout
    for words in (word, "no way back to 不能再退回", "预演"):
        assert words in said
    assert entered() == before
