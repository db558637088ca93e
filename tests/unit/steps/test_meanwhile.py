"""What changes a region's model waits for what is changing it, and what withdrew meanwhile does not come in again."""

import logging
import subprocess
import sys
import threading
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.occasions import AT, SIGNED, entries

from headwater.adapters import audit as log
from headwater.adapters import evolved, features, knowledge, lake, mlflow, postgres, versions
from headwater.adapters.knowledge import Run
from headwater.errors import Refusal
from headwater.steps import champion, evolve, register
from headwater.steps import retrain as retraining
from headwater.steps.aggregate import conclude
from headwater.steps.approve import approve, proposals
from headwater.steps.champion import Change
from headwater.steps.join import join
from headwater.steps.joint import plan_join
from headwater.steps.leaving import Leaving
from headwater.steps.minded import require_minded
from headwater.steps.register import registered_name
from headwater.steps.retrain import retrain
from headwater.steps.rollback import rollback
from headwater.steps.wish import Wish
from headwater.steps.withdraw import withdraw

REGION, TASK = "际", "stay_cost"
NAME = registered_name(TASK, REGION)
KEY = {"task": TASK, "region": REGION}


def occasion(name: str, *, minutes: int = 0) -> Run:
    return Run(name, AT + timedelta(minutes=minutes), 3, REGION)


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(region=REGION, hospitals=12, months=8, stays_a_month=60)


@pytest.fixture(scope="module")
def home(own, put_mart, table):
    put_mart(own, table)
    choose(own, [f"H{k:02d}" for k in range(6, 13)])
    return own


def choose(home, sources, *, last: int = 12) -> None:
    at = {"as_of": datetime(2026, 1, 1), "snapshot": 1, "bytes": 1, "method": "by hand", "run": "v"}
    worth = {"city": "江城市", "stays": 1, "value": 0.1, "low": 0.1, "high": 0.1}
    rows = [{"source": f"H{k:02d}", **worth, "selected": f"H{k:02d}" in sources} | at for k in range(2, last + 1)]
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        knowledge.replace(connection, "valuation", key=KEY | {"month": date(2025, 12, 1)}, rows=rows)


def anew(home, name: str):
    return retrain(home, run=occasion(name), model="stay_cost_ridge")


def line(home, number: int):
    with lake.connect(home, threads=1) as connection:
        return versions.line(connection, NAME, number)


def newest(home) -> int:
    with lake.connect(home, threads=1) as connection:
        return versions.lines(connection, name=NAME)[0].version


def served(home):
    with lake.connect(home, threads=1) as connection:
        return versions.served(connection, NAME)


def meanwhile(home, action) -> threading.Thread:
    """Begin something else, and go on when it is over or waits for a lock."""
    thread = threading.Thread(target=action)
    thread.start()
    with postgres.connect(home, autocommit=True) as connection:
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while thread.is_alive() and not connection.execute(waiting).fetchone()[0]:
            pass
    return thread


HOLDER = """
import sys
from pathlib import Path
from headwater.adapters import postgres
from headwater.adapters.home import Home
with postgres.alone(Home(Path(sys.argv[1]), Path(sys.argv[2])), task=sys.argv[3], region=sys.argv[4], who="the other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_of_two_processes_one_waits_until_the_other_ends_however_it_ends(home):
    told = [sys.executable, "-c", HOLDER, str(home.root), str(home.project), TASK, REGION]
    got = []

    def wait() -> None:
        mine = {"task": TASK, "region": REGION, "who": "this"}
        with postgres.alone(home, **mine), postgres.alone(home, **mine):
            got.append(True)

    with subprocess.Popen(told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with postgres.alone(home, task=TASK, region="别", who="this"):
            thread = meanwhile(home, wait)
        assert got == []
        other.kill()
        thread.join()
    assert got == [True]


class Told(logging.Handler):
    """Hears what the log is told, and from then on is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.heard = [], threading.Event()

    def emit(self, record) -> None:
        self.said.append(record.getMessage())
        self.heard.set()


def test_who_waits_long_is_told_whom_for(home, monkeypatch):
    monkeypatch.setattr(postgres, "_PATIENCE_MS", 1)
    told, got = Told(), []

    def wait() -> None:
        with postgres.alone(home, task=TASK, region=REGION, who="rollback a"):
            got.append(True)

    logging.getLogger("headwater").addHandler(told)
    try:
        with postgres.alone(home, task=TASK, region=REGION, who="evolve b"):
            thread = threading.Thread(target=wait)
            thread.start()
            assert told.heard.wait(60)
            assert got == []
        thread.join()
    finally:
        logging.getLogger("headwater").removeHandler(told)
    assert got == [True]
    (said,) = told.said
    assert "evolve b" in said
    assert REGION in said
    assert "rollback a" not in said


def test_two_evolutions_at_once_follow_every_month_once(home, monkeypatch):
    followed, others = evolve._followed, []

    def second() -> None:
        others.append(evolve.evolve(home, run=occasion("second"), min_stays=20))

    def slowly(*given, **further):
        monkeypatch.setattr(evolve, "_followed", followed)
        found = followed(*given, **further)
        others.append(meanwhile(home, second))
        return found

    monkeypatch.setattr(evolve, "_followed", slowly)
    first = evolve.evolve(home, run=occasion("first"), min_stays=20)
    others[0].join()
    with lake.connect(home, threads=1) as connection:
        months = [row["month"] for row in evolved.rows(connection, "evolution_month", key=KEY)]
    assert first.new == tuple(months)
    assert others[1].new == ()


def test_what_was_followed_since_it_was_read_is_not_followed_twice(home):
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        evolved.prepare(home, connection)
        key, at = KEY | {"region": "跟"}, date(2024, 5, 1)
        rows = {"evolution_month": (at, [{"month": at}])}
        evolved.rewrite(connection, rows, key=key, newest=None)
        with pytest.raises(Refusal, match="E-EVOLVE-MEANWHILE") as refusal:
            evolved.rewrite(connection, rows, key=key, newest=None)
        assert "2024-05" in refusal.value.reason.en
        evolved.rewrite(connection, rows, key=key, newest=at)
        assert len(evolved.rows(connection, "evolution_month", key=key)) == 1


def test_a_decision_that_waits_for_an_evolution_is_of_what_it_proposes_then(home):
    key, old, new = KEY | {"region": "批"}, date(2024, 5, 1), date(2024, 6, 1)
    row = {"source": "H2", "standing": "removed", "unapproved": "demoted", "reason_zh": "", "reason_en": ""}
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        evolved.prepare(home, connection)
        evolved.rewrite(connection, {"evolution": (date.min, [row | {"month": old}])}, key=key, newest=None)
        (asked,) = proposals(home, region="批")
        answers = []

        def decide() -> None:
            answers.append(approve(home, asked.question(), choice="approve", by="王", why="", at=AT))

        with postgres.alone(home, task=TASK, region="批", who="this"):
            thread = meanwhile(home, decide)
            evolved.rewrite(connection, {"evolution": (new, [row | {"month": new}])}, key=key, newest=None)
        thread.join()
        assert answers == [False]
        assert evolved.rows(connection, "approval", key=key) == []
    assert entries(home, "evolution_approval") == []


@pytest.fixture(scope="module")
def first(home):
    return anew(home, "again").registered.version


def test_a_run_that_is_repeated_finds_its_version_and_writes_nothing_twice(home, first):
    before = [len(entries(home, "model_version")), line(home, first.number)]
    assert anew(home, "again").registered.version == first
    assert [len(entries(home, "model_version")), line(home, first.number)] == before


def test_a_run_that_is_repeated_after_a_withdrawal_makes_another_version(home, first):
    report = withdraw(home, run=occasion("H12 leaves", minutes=1), leaving=Leaving(source="H12"), signed=SIGNED)
    assert report.is_complete
    told = line(home, first.number)
    repeated = anew(home, "again").registered.version
    assert repeated != first
    assert line(home, first.number) == told
    assert "H12" in told.sources
    assert "H12" not in line(home, repeated.number).sources
    assert mlflow.champion(home, NAME) != first
    with pytest.raises(Refusal, match="E-VERSION-WITHDRAWN"), lake.connect(home, threads=1) as connection:
        champion.require_open(connection, line(home, first.number))


def test_what_withdraws_while_it_is_learned_from_is_not_registered(home, first, monkeypatch):
    before, real = newest(home), retraining.register

    def late(*given, **further):
        withdraw(home, run=occasion("H11 leaves", minutes=2), leaving=Leaving(source="H11"), signed=SIGNED)
        return real(*given, **further)

    with monkeypatch.context() as patch:
        patch.setattr(retraining, "register", late)
        with pytest.raises(Refusal, match="E-REGISTER-WITHDRAWN") as refusal:
            anew(home, "in flight")
    assert "H11" in refusal.value.reason.en
    with lake.connect(home, threads=1) as connection:
        since = [one for one in versions.lines(connection, name=NAME) if one.version > before]
    assert {one.step for one in since} <= {"withdraw"}
    assert "H11" not in anew(home, "in flight").sources


@pytest.mark.parametrize("who", ["source", "stay"])
def test_rounds_that_read_what_withdrew_since_are_not_registered(home, first, table, who):
    run = occasion(f"rounds {who}", minutes=3)
    with lake.connect(home, threads=1) as connection:
        there = set(
            features.read(
                connection,
                retraining.teacher_of(home, task=TASK, model="stay_cost_ridge"),
                snapshot=lake.snapshot(connection),
                region=REGION,
            ).cities
        )
    planned = plan_join(home, run=run, task=TASK, model="stay_cost_ridge", wish=Wish("clear"))
    joined = join(home, run=run, entry=planned.entry)
    leaver = max(set(joined.sources) & there)
    mine = table.filter(pc.and_(pc.equal(table["hospital"], leaver), pc.equal(table["split"], "source")))
    leaving = Leaving(source=leaver) if who == "source" else Leaving(stay=mine["stay_id"][0].as_py())
    withdraw(home, run=occasion(f"leaves {who}", minutes=4), leaving=leaving, signed=SIGNED)
    before = newest(home)
    with pytest.raises(Refusal, match="E-REGISTER-WITHDRAWN"):
        conclude(home, run=run, task=TASK, model="stay_cost_ridge")
    assert newest(home) == before


def test_rounds_count_as_read_when_they_read(home, first, table):
    run = occasion("older rounds", minutes=5)
    planned = plan_join(home, run=run, task=TASK, model="stay_cost_ridge", wish=Wish("clear"))
    found = join(home, run=run, entry=planned.entry)
    withdraw(home, run=occasion("H02 leaves", minutes=6), leaving=Leaving(source="H02"), signed=SIGNED)
    concluded = conclude(home, run=run, task=TASK, model="stay_cost_ridge")
    assert "H02" not in concluded.sources
    assert line(home, concluded.registered.version.number).minded_until == found.minded_until
    assert found.minded_until < entries_of_withdrawals(home)[-1]


def entries_of_withdrawals(home) -> list[int]:
    with postgres.connect(home) as connection:
        return [one.number for one in log.entries(connection, kind="withdrawal")]


@pytest.fixture(scope="module")
def three(home, first):
    """Let three versions serve one after the other, whatever they score, of whom nobody withdrew since."""
    made = []
    for number in range(3):
        choose(home, [f"H{k:02d}" for k in range(6, 9 - number)])
        made.append(anew(home, f"step {number}").registered.version)
    with lake.connect(home, threads=1) as connection:
        for version in made:
            put(home, connection, version)
    return made


def put(home, connection, version) -> int:
    before = mlflow.champion(home, NAME)
    change = Change(TASK, REGION, version, before if before != version else None, "promoted", None, 1)
    return champion.serve(home, connection, change, run=occasion(f"put {version.number} {before.number}"))


def test_going_back_twice_goes_two_steps_back(home, three):
    for expected in (three[1], three[0]):
        gone = rollback(home, run=occasion(f"back to {expected.number}", minutes=7), name=NAME)
        assert gone.after == expected.label
    assert mlflow.champion(home, NAME) == three[0]


def test_a_way_back_takes_as_long_as_it_waits_and_looks_too(home, three, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("headwater.steps.rollback.time", SimpleNamespace(perf_counter=lambda: now[0]))
    alone, minded = postgres.alone, require_minded

    def late(*told, **further):
        now[0] += 3.0
        return alone(*told, **further)

    def slowly(*told):
        now[0] += 4.0
        return minded(*told)

    monkeypatch.setattr(postgres, "alone", late)
    monkeypatch.setattr("headwater.steps.rollback.require_minded", slowly)
    for to in (three[1], three[0]):
        back = occasion(f"timed back to {to.number}", minutes=7)
        found = rollback(home, run=back, name=NAME, to=to.number)
        assert (found.after, found.seconds) == (to.label, 7.0)
        now[0] = 0.0


def test_a_version_that_is_registered_and_a_way_back_follow_each_other(home, three, monkeypatch):
    compared, threads = register._compared, []

    def slowly(*given):
        back = occasion("meanwhile back", minutes=8)
        threads.append(meanwhile(home, lambda: rollback(home, run=back, name=NAME, to=three[1].number)))
        return compared(*given)

    with monkeypatch.context() as patch:
        patch.setattr(register, "_compared", slowly)
        anew(home, "step 2 again")
    threads[0].join()
    assert mlflow.champion(home, NAME) == three[1]
    newest, *older = served(home)
    assert newest.before == older[0].version


def test_a_change_that_broke_off_is_told_to_the_lake_by_whatever_comes_next(home, three, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*given):
        raise Killed

    with lake.connect(home, threads=1) as connection:
        put(home, connection, three[0])
        before = served(home)
        for where in ("promote", "_tell"):
            with monkeypatch.context() as patch:
                patch.setattr(*((mlflow, where, killed) if where == "promote" else (champion, where, killed)))
                with pytest.raises(Killed):
                    put(home, connection, three[2])
            # Nobody reads of a version that serves where it does not.
            assert served(home) == before
        assert champion.serving(home, connection, NAME) == three[2]
        assert champion.serving(home, connection, NAME) == three[2]
    newest, *older = served(home)
    assert (newest.version, newest.before, newest.why) == (three[2].number, three[0].number, "promoted")
    assert older == before


def test_who_is_in_the_data_of_a_planned_run_alone_is_found_and_not_asked(home, first, table, put_mart):
    mine = table.filter(pc.and_(pc.equal(table["hospital"], "H06"), pc.equal(table["split"], "source")))
    others = {"stay_id": [f"x{k}" for k in range(mine.num_rows)], "hospital": "H13", "source_id": "h13"}
    for name, value in others.items():
        values = pa.array(value if isinstance(value, list) else [value] * mine.num_rows)
        mine = mine.set_column(mine.column_names.index(name), name, values)
    put_mart(home, pa.concat_tables([table, mine]))
    choose(home, ["H06", "H07", "H13"], last=13)
    run = occasion("planned", minutes=9)
    planned = plan_join(home, run=run, task=TASK, model="stay_cost_ridge", wish=Wish("clear"))
    assert "H13" in planned.sources
    put_mart(home, table)
    stay = mine["stay_id"][0].as_py()
    for leaving in (Leaving(stay=stay), Leaving(source="H13")):
        (taken,) = withdraw(home, run=occasion("H13", minutes=10), leaving=leaving, signed=SIGNED).taken
        assert (taken.outcome, taken.places.members) == ("absent", ("H13",))
    found = join(home, run=run, entry=planned.entry)
    assert "H13" not in found.sources
