"""``headwater code`` and ``headwater review`` as people type them, in a terminal of 80 columns."""

import json
import re

import pytest
from typer.testing import CliRunner

from headwater.cli.main import app
from headwater.steps.questions import told

UNSURE = {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊[bold]", "pric": 12}
STENT = {"medins_list_codg": "S", "medins_list_name": "冠状动脉药物洗脱支架", "pric": 9000}


def width(line: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in line)


@pytest.fixture
def run(bureau, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bureau.deliver("drug", UNSURE)
    bureau.deliver("consumable", STENT)

    def call(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        assert max(map(width, done.output.splitlines()), default=0) <= 80 or "--json" in words
        return done.output

    return call


def test_people_are_led_from_the_list_to_a_decision(run, bureau):
    coded = json.loads(run("code", "--json"))
    assert coded["waiting"] == 2
    assert "questions 待审问题 2" in run("code")
    listed = json.loads(run("review", "list", "--json"))["questions"]
    assert [one["kind"] for one in listed] == ["consumable", "drug"], "the dearer one first"
    stent, drug = (one["like_id"] for one in listed)
    shown = run("review", "list")
    assert re.findall(r"\b[0-9a-f]{20}\b", shown) == [stent, drug]
    assert all(told(one["reason"]).zh[:4] in shown for one in listed), "why it is asked"
    assert "阿莫西林胶囊[bold]" in (drug_shown := run("review", "show", drug)), "delivered text is no markup"
    assert {"0.25g*24粒", "0.5g*24粒"} <= set(drug_shown.split()), "candidates of one name are told apart"
    assert "两人" in (stent_shown := run("review", "show", stent))
    assert "C001" in stent_shown
    assert "已生效" in run("review", "decide", drug, "none", "--why", "名称不全", "--by", "li")
    proposed = json.loads(run("review", "decide", stent, "C001", "--why", "说明书", "--by", "li", "--json"))
    assert proposed["state"] == "proposed"
    number = str(proposed["decision_id"])
    assert f"待确认 {number}" in run("review", "list")
    assert "E-CODING-SAME-PERSON" in run("review", "confirm", number, "--why", "我", "--by", "li", code=2)
    assert "In force" in run("review", "confirm", number, "--why", "复核", "--by", "wang")
    assert json.loads(run("review", "list", "--json")) == {"questions": []}
    assert "li, wang" in run("review", "show", stent)
    assert {row["decision"] for row in bureau.items()} == {"decided"}
    bureau.bill({"medins_list_codg": "9", "medins_list_name": "人血白蛋白"})
    assert "review list --none" in run("code")
    assert "人血白蛋白" in run("review", "list", "--none")
    for words in (["show", "0" * 20], ["decide", drug, "X9", "--why", "w"], ["list", "--kind", "leech"]):
        assert re.search(r"E-CODING-\w+", run("review", *words, code=2))
