"""A node of its own installation: its policy, its ledger and its audit log, and what it keeps over a restart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headwater.adapters import audit, ledger, postgres
from headwater.adapters.home import Home
from headwater.adapters.shelf import Shelf
from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Fold, Mechanism, Tree, group
from headwater.aggregation.adding import Adder
from headwater.aggregation.afar import Afar
from headwater.aggregation.exposure import exposures
from headwater.aggregation.speaking import Speaker
from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.federation import GramQuestion, TableSource, wire
from headwater.federation.bounded import BoundedQuestion
from headwater.security import Identity, Span
from headwater.security.events import to_json
from headwater.security.protection import in_turn
from headwater.statistics import FeatureMap, Numeric, Statistic
from headwater.steps import node as steps
from headwater.steps.audit import verify
from headwater.steps.ledger import prove
from headwater.steps.node import Kit, Means

REGION = Identity(bytes(range(32)))
NAMES = ("h1", "h2", "h3")
TREE = Tree.of(dict.fromkeys(NAMES, "north"), root="region")
QUESTION = GramQuestion(FeatureMap((Numeric("age", 60.0, 20.0),)))
NOW = 1_000.0
RULE = """\
requirement: own_rule
title: {zh: 本院, en: Own}
patients: insured_stays
sees:
  statistic: STATISTIC
  sum: SUM
  noisy: region
delta: 1e-6
epsilon: {release: 1, month: 1.5, lifetime: 4}
purposes:
  aggregation: {release: 1, month: 1.5, lifetime: 4}
mechanisms: [clear, masked, discrete_gaussian, skellam]
"""


def table_of(name: str) -> pa.Table:
    rng = np.random.default_rng(NAMES.index(name) if name in NAMES else 9)
    return pa.table({"log_cost": rng.normal(8, 1, 60), "age": rng.normal(60, 20, 60)})


class Straight:
    def __init__(self) -> None:
        self.nodes: dict[str, Speaker] = {}

    def send(self, to: str, message: bytes) -> bytes:
        return self.nodes[to].hear(message)


@pytest.fixture
def made(unopened: Home, tmp_path: Path) -> Callable[..., Home]:
    """Give the installation a project with a requirement of its own; all nodes of these tests share its database."""

    def of(*, statistic: str = "region", total: str = "region") -> Home:
        rules = tmp_path / "project" / "dbt_project" / "requirements"
        rules.mkdir(parents=True, exist_ok=True)
        text = RULE.replace("STATISTIC", statistic).replace("SUM", total)
        (rules / "own_rule.yml").write_text(text, encoding="utf-8")
        (unopened.vault / "audit.key").write_bytes(bytes(32))
        return replace(unopened, project=tmp_path / "project")

    return of


def federation(home: Home, tmp_path: Path) -> Straight:
    """Return three hospitals and their city, each with a vault of its own."""
    line = Straight()
    for name in (*NAMES, "north"):
        line.nodes[name] = started(home, tmp_path, name, line)
    return line


def started(home: Home, tmp_path: Path, name: str, line: Straight, *, seed: int = 1) -> Speaker:
    own = Home(tmp_path / name, home.project).create()
    # One database stands for those of all, so the key of its log is that of all.
    (own.vault / "audit.key").write_bytes(bytes(32))
    source = TableSource(name, table_of(name)) if name in NAMES else None
    means = Means(line if source is None else None, clock=lambda: NOW, entropy=seeded_entropy(seed))
    return steps.node(own, Kit(name, "region", REGION.public), source, means=means)


def fold(line: Straight, mechanisms, question=QUESTION, *, name="f", l2=None, span=None):
    groups = group(TREE, mechanisms)
    publics = {one: node.identity.public for one, node in line.nodes.items()}
    form = question.of(table_of("own"))
    seen = exposures(groups, l2=l2, length=form.values.size)
    adder = Adder(REGION, line, in_turn, lambda: NOW, 60.0)
    return Fold(name, span, l2).of(
        groups, Afar("region", adder, publics, wire.written(question), "aggregation", "run", seen), form
    )


def told(home: Home, kind: str):
    with postgres.connect(home) as connection:
        return [json.loads(one.body) for one in audit.entries(connection, kind=kind)]


def plain(question=QUESTION):
    return Statistic.total([question.of(table_of(name)) for name in NAMES])


def test_what_a_node_permits_is_summed_and_stands_in_its_audit_log_before(made, tmp_path):
    home = made(statistic="nobody", total="region")
    line = federation(home, tmp_path)
    assert fold(line, dict.fromkeys(NAMES, UNDER_MASKS)).total == plain()
    tasks, answers = told(home, "task"), told(home, "answer")
    assert [one["round"] for one in tasks] == ["f/north/masked"] * 3 + ["f/region/clear"]
    assert [one["round"] for one in answers] == ["f/north/masked"] * 3
    assert not [one for one in tasks if "refused" in one]
    assert verify(home).fault is None
    assert {one["name"] for one in told(home, "requirement")} == {"own_rule"}


def test_what_a_node_forbids_it_refuses_and_enters_and_nothing_is_computed(made, tmp_path, monkeypatch):
    home = made(statistic="nobody", total="nobody")
    monkeypatch.setattr(TableSource, "answer", lambda *_: pytest.fail("a statistic was computed"))
    with pytest.raises(Refusal, match="E-TIER-EMPTY") as refusal:
        fold(federation(home, tmp_path), dict.fromkeys(NAMES, IN_CLEAR))
    assert "own_rule" in str(refusal.value)
    assert [one["refused"] for one in told(home, "task")] == ["E-REQUIRE-VIEWER"] * 3
    assert not told(home, "answer")


def test_a_policy_that_is_changed_holds_from_then_on(made, tmp_path):
    line = federation(made(), tmp_path)
    assert fold(line, dict.fromkeys(NAMES, IN_CLEAR)).total == plain()
    made(statistic="nobody", total="nobody")
    with pytest.raises(Refusal, match="E-TIER-EMPTY"):
        fold(line, dict.fromkeys(NAMES, IN_CLEAR), name="g")


OWN = table_of("own")
BOUNDED = BoundedQuestion.around(QUESTION, QUESTION.of(OWN), OWN, ridge=1.0)
SPAN = Span(*BOUNDED.family.bounds(60))
NOISY = dict.fromkeys(NAMES, Mechanism("masked", "group", 0.9, 1e-6))


def noisy(line, *, name, l2=BOUNDED.family.l2, question=BOUNDED):
    return fold(line, NOISY, question, name=name, l2=l2, span=SPAN if question is BOUNDED else None)


def test_noise_is_debited_in_the_nodes_own_ledger_and_what_is_used_up_is_refused(made, tmp_path):
    home = made(statistic="nobody", total="nobody")
    line = federation(home, tmp_path)
    found = noisy(line, name="f")
    assert found.total != plain(BOUNDED)
    with postgres.connect(home) as connection:
        entries = list(ledger.entries(connection))
    assert sorted(one.source_id for one in entries) == list(NAMES)
    assert {one.event for one in entries} == {to_json(event) for event in found.events.values()}
    assert prove(home).holds
    noisy(line, name="g")
    before = prove(home).entries
    with pytest.raises(Refusal, match="E-TIER-EMPTY.*above the cap 1.5"):
        noisy(line, name="h")
    # Nobody paid for a round that ended.
    assert prove(home).entries == before == 6
    assert prove(home).holds


def test_a_region_that_claims_less_of_a_record_than_the_question_says_gets_nothing(made, tmp_path):
    line = federation(made(), tmp_path)
    for claimed, question in ((BOUNDED.family.l2 / 10, BOUNDED), (20.0, QUESTION)):
        with pytest.raises(Refusal, match="E-TIER-EMPTY.*not measured by what is asked"):
            noisy(line, name=f"f {claimed}", l2=claimed, question=question)
    assert not told(line.nodes["h1"].host.home, "answer")


def test_a_region_that_says_less_is_seen_than_is_gets_nothing(made, tmp_path):
    line = federation(made(), tmp_path)
    groups = group(TREE, dict.fromkeys(NAMES, IN_CLEAR))
    publics = {one: node.identity.public for one, node in line.nodes.items()}
    adder = Adder(REGION, line, in_turn, lambda: NOW, 60.0)
    true = exposures(groups, l2=None, length=6)
    for less in ((), (replace(true["h1"][0], shown="sum"),), (replace(true["h1"][0], tier="south"),), true["h1"][1:]):
        player = Afar(
            "region", adder, publics, wire.written(QUESTION), "aggregation", "run", dict.fromkeys(NAMES, less)
        )
        with pytest.raises(Refusal, match="E-TIER-EMPTY.*what is said to be seen"):
            Fold(f"f {len(less)} {less and less[0].tier}{less and less[0].shown}").of(groups, player, QUESTION.of(OWN))


def test_a_node_that_is_started_again_in_the_middle_of_a_round_goes_on(made, tmp_path):
    """Each hospital is a new process's worth of state before every message, with other entropy than before."""
    home = made()
    line = federation(home, tmp_path)
    send, turn = line.send, iter(range(2, 1_000))

    def restarting(to, message):
        line.nodes[to] = started(home, tmp_path, to, line, seed=next(turn))
        return send(to, message)

    line.send = restarting
    assert fold(line, dict.fromkeys(NAMES, UNDER_MASKS)).total == plain()


def test_what_is_kept_can_be_read_by_its_owner_alone_and_whole(tmp_path):
    shelf = Shelf.of(Home(tmp_path, tmp_path))
    for name in ("轮/1", "a" * 500, ""):
        shelf.write(name, b"one" + name.encode())
        shelf.write(name, b"two" + name.encode())
    assert sorted(shelf.names()) == sorted(["轮/1", "a" * 500, ""])
    assert [Shelf(shelf.folder).read(name) for name in ("轮/1", "")] == ["two轮/1".encode(), b"two"]
    assert shelf.read("b") is None
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in shelf.folder.iterdir()} == {0o600}
    # A write that was cut off leaves what was there before.
    next(shelf.folder.glob("*.kept")).with_suffix(".part").write_bytes(b"half")
    assert len(list(shelf.names())) == 3
