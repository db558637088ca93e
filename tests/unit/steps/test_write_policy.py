"""Policies are written: judged as a whole, previewed, added with who and why, superseded and never changed."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from headwater.adapters import postgres
from headwater.claims.payment import load_policy
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.holdings import in_force
from headwater.steps.policies import check, policies
from headwater.steps.write_policy import add, find, judge, preview

SIGNED = ("li", "两定新价")
FIRST = date(2025, 1, 1)


@pytest.fixture
def ruled(paying, server, monkeypatch):
    """Give one policy as a file and an empty register."""
    monkeypatch.setenv(postgres.DSN_VARIABLE, server)
    monkeypatch.setenv("HEADWATER_HOME", str(paying.home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(paying.home.project))
    shutil.rmtree(paying.home.root / "policies", ignore_errors=True)
    with postgres.connect(paying.home, autocommit=True) as connection:
        connection.execute("alter table ops.policy disable trigger never_emptied")
        connection.execute("truncate ops.policy")
        connection.execute("alter table ops.policy enable trigger never_emptied")
    paying.policy()
    return paying


def written(payer, *changes: tuple[str, str], name: str = "trial", first: date = FIRST) -> str:
    text = find(payer.home, name, first).text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


DEARER = (("ES1: 0.8", "ES1: 0.9"), ("payable: 8000.0", "payable: 9000"))
FROM_MARCH = ("valid_from: 2025-01-01", "valid_from: 2025-03-01")


def payable(payer) -> list[Decimal]:
    payer.price()
    return [amount for (amount,) in payer.rows("SELECT payable FROM lake.payment.stay ORDER BY stay_id")]


def test_payments_follow_what_is_added_and_a_preview_says_so_before(ruled, payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2", "endtime": datetime(2025, 1, 9), "begntime": datetime(2025, 1, 1)})
    assert payable(payer) == [Decimal("8000.00")] * 2
    payer.publish()
    text = written(payer, *DEARER, FROM_MARCH)
    # Both stays end within the year before the last discharge.
    report = preview(payer.home, text)
    assert (report.total["stays"], report.total["change"]) == (2, Decimal("2000.00"))
    assert len(in_force(payer.home).policies) == 1
    entry = add(payer.home, text, signed=SIGNED, over=None)
    assert (entry.added_by, entry.why, entry.replaces, entry.supersedes) == (*SIGNED, None, None)
    assert payable(payer) == [Decimal("9000.00"), Decimal("8000.00")]
    # What a stay was paid under names the entry by its version.
    ((version,),) = payer.rows("SELECT policy_version FROM lake.payment.stay WHERE stay_id = 'h1:1'")
    (shown,) = [one for one in policies(payer.home) if one.version == version]
    assert (shown.added_by, shown.why, shown.first) == (*SIGNED, date(2025, 3, 1))
    assert [one.added_by for one in policies(payer.home)] == [None, "li"]


def test_the_same_day_supersedes_with_a_reason_what_was_seen_and_keeps_it(ruled):
    seen = find(ruled.home, "trial", FIRST)
    first = add(ruled.home, written(ruled, *DEARER), signed=SIGNED, over=seen.tag)
    assert (first.replaces, first.supersedes) == (seen.policy.version, None)
    assert [one.version for one in in_force(ruled.home).policies] == [first.version]
    with pytest.raises(Refusal, match="E-POLICY-CHANGED.*added by li"):
        add(ruled.home, written(ruled), signed=("wang", "again"), over=seen.tag)
    back = add(ruled.home, seen.text, signed=("wang", "回退"), over=find(ruled.home, "trial", FIRST).tag)
    assert (back.version, back.replaces, back.supersedes) == (seen.policy.version, first.version, first.entry_id)
    assert [one.version for one in in_force(ruled.home).policies] == [seen.policy.version]
    assert [(one.added_by, one.body == seen.text) for one in find(ruled.home, "trial", FIRST).entries] == [
        ("wang", True),
        ("li", False),
    ]
    with postgres.connect(ruled.home) as connection, pytest.raises(psycopg.Error, match="never changed"):
        connection.execute("update ops.policy set why = 'another'")


def test_a_file_that_changes_under_an_entry_contradicts_it(ruled):
    seen = find(ruled.home, "trial", FIRST)
    add(ruled.home, written(ruled, *DEARER), signed=SIGNED, over=seen.tag)
    ruled.policy(weight="0.7")
    with pytest.raises(Refusal, match="E-POLICY-TWICE"):
        in_force(ruled.home)
    # A file that says the same as the entry agrees with it.
    ruled.policy(weight="0.9")
    assert len(in_force(ruled.home).policies) == 1


def test_of_many_who_add_at_once_one_succeeds(ruled):
    texts = [written(ruled, FROM_MARCH, ("zh: 试行", f"zh: 试行{number}")) for number in range(4)]

    def attempt(text: str) -> str:
        try:
            return add(ruled.home, text, signed=SIGNED, over=None).version
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(attempt, texts))
    assert said.count("E-POLICY-CHANGED") == 3
    assert len(find(ruled.home, "trial", date(2025, 3, 1)).entries) == 1


REFUSED = {
    "E-POLICY": ("by_cost: 1", "by_cost: 2"),
    "E-POLICY-TEST": ("payable: 8000.0", "payable: 8000.01"),
    "E-POLICY-GROUP": ("GK1: 0.5", "XX9: 0.5"),
    "E-POLICY-NAME": ("policy: trial", "policy: ../trial"),
    "E-PLAN-UNKNOWN": ("plan: headwater_demo", "plan: absent"),
    "E-POLICY-OVERLAP": ("policy: trial", "policy: other"),
}


def test_what_cannot_be_in_force_is_never_added(ruled):
    for code, change in REFUSED.items():
        with pytest.raises(Refusal, match=code):
            add(ruled.home, written(ruled, change, FROM_MARCH), signed=SIGNED, over=None)
    assert len(in_force(ruled.home).policies) == 1


def test_a_verdict_names_the_place_the_tests_and_what_it_would_supersede(ruled):
    for code, (old, new) in REFUSED.items():
        verdict = judge(ruled.home, written(ruled, (old, new)))
        assert verdict.refusal is not None
        assert verdict.refusal.code == code
        line, column = getattr(verdict.refusal, "at", None) or (None, None)
        if code in ("E-POLICY", "E-POLICY-TEST"):
            place = written(ruled, (old, new)).splitlines()[line - 1][column - 1 :]
            assert place.startswith("2" if code == "E-POLICY" else "name: a package")
    good = judge(ruled.home, written(ruled)).to_dict()
    assert good["problem"] is None
    assert good["tests"] == [{"name": "a package", "holds": True}]
    assert good["supersedes"]["etag"] == find(ruled.home, "trial", FIRST).tag
    assert judge(ruled.home, "plan: x\na: ]").to_dict()["problem"]["line"] == 2
    with pytest.raises(Refusal, match="E-POLICY-WHO"):
        add(ruled.home, written(ruled, FROM_MARCH), signed=("li", " "), over=None)


def test_a_policy_is_added_by_command_with_its_csv_written_into_it(ruled, tmp_path):
    draft = tmp_path / "draft.yml"
    (tmp_path / "weights.csv").write_text("level,code,weight,mean_days\nadrg,ES1,0.9,7.5\n", encoding="utf-8")
    draft.write_text(
        written(ruled, FROM_MARCH, DEARER[1]).replace(
            "weights: {adrg: {ES1: 0.8, GK1: 0.5}}", "weights: # 权重\n  file: weights.csv # 附表\n"
        ),
        encoding="utf-8",
    )
    words = ["policy", "add", str(draft), "--reason", "新权重"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "trial/2025-03-01" in done.output
    there = find(ruled.home, "trial", date(2025, 3, 1))
    assert there.policy.version == load_policy(draft).version
    assert "# 附表" in there.text
    assert "weights.csv" not in there.text
    again = CliRunner().invoke(app, words)
    assert (again.exit_code, "E-POLICY-CHANGED" in again.output) == (2, True)
    assert CliRunner().invoke(app, [*words, "--supersede"]).exit_code == 0
    draft.write_text(draft.read_text(encoding="utf-8").replace("by_cost: 1", "by_cost: 2"), encoding="utf-8")
    line = draft.read_text(encoding="utf-8").splitlines().index("by_cost: 2") + 1
    # A text with the csv in it has other lines than the file that the clerk looks at.
    assert f"draft.yml:{line} by_cost" in CliRunner().invoke(app, words).output


MISPLACED = [
    "trial/2025-06-01.yaml",
    "trial/2025-06-01.YML",
    "trial/june.yml",
    "other/2025-06-01.yml",
    "x.yml",
    "a/b/x.yml",
]


def test_a_file_that_would_not_be_found_is_refused(ruled):
    text = written(ruled, ("valid_from: 2025-01-01", "valid_from: 2025-06-01"))
    for name in MISPLACED:
        file: Path = ruled.home.root / "policies" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        with pytest.raises(Refusal, match="E-POLICY-FILE") as refused:
            in_force(ruled.home)
        assert name in refused.value.reason.zh
        assert [one.refusal.code for one in check(ruled.home) if one.refusal] == ["E-POLICY-FILE"]
        file.unlink()
