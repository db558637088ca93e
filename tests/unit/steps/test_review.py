"""Decisions about codes on a real register: two pairs of eyes, nothing changed afterwards, one of two wins."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from headwater.adapters import postgres, reviews
from headwater.errors import Refusal
from headwater.steps.review import confirm, decide, show, waiting

STENT = {"medins_list_codg": "S", "medins_list_name": "药物洗脱支架", "spec": "3.0mm*18mm"}
UNSURE = {"medins_list_codg": "7", "medins_list_name": "阿莫西林胶囊", "pric": 12}
LI, WANG = ("li", "说明书"), ("wang", "复核无误")


def like(bureau, **where: str) -> str:
    (found,) = {row["like_id"] for row in bureau.items(**where)}
    return str(found)


@pytest.fixture
def drug(bureau) -> str:
    """Give a question about a drug of no high value."""
    bureau.deliver("drug", UNSURE, {**UNSURE, "source_id": "h2", "medins_list_codg": "8"})
    bureau.code()
    return like(bureau, kind="drug")


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}:")


def test_a_decision_is_applied_to_all_like_items_at_once(bureau, drug):
    ((question, proposal),) = waiting(bureau.home)
    assert (question.items, question.sources, question.is_high_value, proposal) == (2, 2, False, None)
    done = decide(bureau.home, drug, code="X002", signed=LI)
    assert (done.state, done.items) == ("in force", 2)
    assert bureau.answers() == [("7", "decided", "X002"), ("8", "decided", "X002")]
    assert waiting(bureau.home) == []
    shown = show(bureau.home, drug)
    assert [(one.code, one.decided_by, one.why, one.state) for one in shown.rulings] == [
        ("X002", "li", "说明书", "in force")
    ]
    assert [item["code"] for item in shown.items] == ["X002", "X002"]


def test_what_cannot_be_decided_is_refused(bureau, drug):
    for code, call in {
        "E-CODING-CODE": {"code": "NONE-SUCH", "signed": LI},
        "E-CODING-WHO": {"code": "X002", "signed": ("li", "  ")},
    }.items():
        with refused(code):
            decide(bureau.home, drug, **call)
    with refused("E-CODING-UNKNOWN"):
        decide(bureau.home, "0" * 20, code=None, signed=LI)
    with refused("E-CODING-NOT-WAITING"):
        decide(bureau.home, drug, code="X002", signed=LI, over=99)
    with refused("E-CODING-NOT-WAITING"):
        confirm(bureau.home, 99, signed=LI)
    with refused("E-CODING-KIND"):
        waiting(bureau.home, kind="leech")
    assert bureau.answers()[0][1] == "review"


def test_a_later_decision_supersedes_what_its_author_has_seen_and_nothing_else(bureau, drug):
    first = decide(bureau.home, drug, code="X002", signed=LI)
    with refused("E-CODING-DECIDED"):
        decide(bureau.home, drug, code="X001", signed=WANG)
    second = decide(bureau.home, drug, code=None, signed=WANG, over=first.decision_id)
    assert bureau.answers()[0] == ("7", "decided", None)
    with refused("E-CODING-DECIDED"):
        decide(bureau.home, drug, code="X001", signed=LI, over=first.decision_id)
    assert [one.state for one in show(bureau.home, drug).rulings] == ["in force", "superseded"]
    assert decide(bureau.home, drug, code="X001", signed=LI, over=second.decision_id).state == "in force"


def test_a_request_that_comes_again_changes_nothing_again(bureau, drug):
    first = decide(bureau.home, drug, code="X002", signed=LI, request_key="k1")
    assert decide(bureau.home, drug, code="X002", signed=LI, request_key="k1") == first
    with refused("E-CODING-REPEATED"):
        decide(bureau.home, drug, code="X001", signed=LI, request_key="k1")
    assert len(show(bureau.home, drug).rulings) == 1


def test_of_two_people_at_the_same_moment_one_decides_and_the_other_is_told(bureau, drug):
    start = Barrier(2)

    def run(signed: tuple[str, str], code: str) -> str:
        start.wait()
        try:
            return decide(bureau.home, drug, code=code, signed=signed).code or ""
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(2) as people:
        found = [one.result() for one in [people.submit(run, LI, "X001"), people.submit(run, WANG, "X002")]]
    assert found.count("E-CODING-DECIDED") == 1
    (winner,) = {"X001", "X002"} & set(found)
    assert {code for _, _, code in bureau.answers()} == {winner}
    assert len(show(bureau.home, drug).rulings) == 1


def test_the_register_itself_knows_no_second_beginning(bureau, drug):
    """Without the lock, as a foreign client would write: the index refuses the second of two first decisions."""
    question = show(bureau.home, drug).question
    wanted = reviews.Wanted(question, "X001", [], "v", needs_confirmation=False, by="li", why="w")
    with postgres.connect(bureau.home) as one, postgres.connect(bureau.home) as two:
        reviews.decide(one, wanted)
        with ThreadPoolExecutor(1) as other:
            late = other.submit(reviews.decide, two, wanted)
            one.commit()
            with pytest.raises(reviews.Conflict):
                late.result()


@pytest.fixture
def stent(bureau) -> str:
    """Give a question about a stent, which the reference calls high-value."""
    bureau.deliver("consumable", STENT, {**STENT, "medins_list_codg": "T", "source_id": "h2"})
    bureau.code()
    return like(bureau, kind="consumable")


def test_a_high_value_item_takes_two_people(bureau, stent):
    proposed = decide(bureau.home, stent, code="C001", signed=LI)
    assert (proposed.state, proposed.items) == ("proposed", 0)
    assert [proposal.decision_id for _, proposal in waiting(bureau.home)] == [proposed.decision_id]
    assert "decided" not in {decision for _, decision, _ in bureau.answers(kind="consumable")}
    bureau.code(anew=True)
    assert "decided" not in {decision for _, decision, _ in bureau.answers(kind="consumable")}
    ((question, proposal),) = waiting(bureau.home)
    assert (question.is_high_value, proposal.decision_id) == (True, proposed.decision_id)
    for name in ("li", " LI "):
        with refused("E-CODING-SAME-PERSON"):
            confirm(bureau.home, proposed.decision_id, signed=(name, "我确认"))
    done = confirm(bureau.home, proposed.decision_id, signed=WANG, request_key="k")
    assert (done.state, done.items) == ("in force", 2)
    assert confirm(bureau.home, proposed.decision_id, signed=WANG, request_key="k") == done
    assert bureau.answers(kind="consumable") == [("S", "decided", "C001"), ("T", "decided", "C001")]
    assert {row["decided_by"] for row in bureau.items(kind="consumable")} == {"li, wang"}
    with refused("E-CODING-NOT-WAITING"):
        confirm(bureau.home, proposed.decision_id, signed=("zhao", "再确认"))
    assert waiting(bureau.home) == []


def test_a_proposal_leaves_the_decision_before_it_in_force_until_it_is_confirmed(bureau, stent):
    first = decide(bureau.home, stent, code="C001", signed=LI)
    confirm(bureau.home, first.decision_id, signed=WANG)
    second = decide(bureau.home, stent, code="C002", signed=WANG, over=first.decision_id)
    bureau.code()
    assert {code for _, _, code in bureau.answers(kind="consumable")} == {"C001"}
    assert [one.state for one in show(bureau.home, stent).rulings] == ["proposed", "in force"]
    ((question, proposal),) = waiting(bureau.home)
    assert (question.like_id, proposal.decision_id) == (stent, second.decision_id), "whoever confirms must find it"
    confirm(bureau.home, second.decision_id, signed=LI)
    assert {code for _, _, code in bureau.answers(kind="consumable")} == {"C002"}


def test_candidates_of_one_name_are_told_apart_by_what_else_the_reference_says(bureau, drug):
    ((question, _),) = waiting(bureau.home, kind="drug")
    said = {one["code"]: (one["name"], one["attributes"]) for one in question.alternatives}
    assert said["X001"] == ("阿莫西林胶囊", {"spec": "0.25g*24粒"})
    assert said["X002"] == ("阿莫西林胶囊", {"spec": "0.5g*24粒"})


def test_a_proposal_for_what_has_no_code_waits_with_the_others(bureau):
    bureau.bill({"medins_list_codg": "1", "medins_list_name": "人血白蛋白", "det_item_fee_sumamt": 5000})
    bureau.code()
    ((question, _),) = waiting(bureau.home, state="none")
    assert decide(bureau.home, question.like_id, code=None, signed=LI).state == "proposed"
    for _ in range(2):
        ((found, proposal),) = waiting(bureau.home)
        assert (found.like_id, proposal.decided_by, waiting(bureau.home, state="none")) == (question.like_id, "li", [])
        bureau.code()
    confirm(bureau.home, proposal.decision_id, signed=WANG)
    assert bureau.answers() == [("1", "decided", None)]
    assert waiting(bureau.home) == []


def test_a_dear_item_takes_two_people_whatever_the_reference_calls_it(bureau):
    bureau.deliver("drug", {**UNSURE, "pric": 1000})
    bureau.code()
    assert decide(bureau.home, like(bureau, kind="drug"), code="X001", signed=LI).state == "proposed"


def test_a_bureaus_own_threshold_counts(bureau):
    bureau.refer("threshold", [("drug", "高值界限", "")], amount=["10"], currency=["CNY"])
    bureau.deliver("drug", UNSURE)
    bureau.code()
    assert decide(bureau.home, like(bureau, kind="drug"), code="X001", signed=LI).state == "proposed"


def confirm_oneself(bureau, number: int) -> None:
    with postgres.connect(bureau.home) as register:
        register.execute("insert into ops.coding_confirmation values (%s, 'li', 'w')", (number,))


def test_the_database_refuses_one_person_for_two_and_its_twin_without_the_guard_does_not(bureau, stent):
    number = decide(bureau.home, stent, code="C001", signed=LI).decision_id
    with pytest.raises(psycopg.Error, match="somebody else"):
        confirm_oneself(bureau, number)
    with postgres.connect(bureau.home) as register:
        register.execute("drop trigger two_pairs_of_eyes on ops.coding_confirmation")
    confirm_oneself(bureau, number)
    assert show(bureau.home, stent).rulings[0].state == "in force"


CHANGES = [
    "update ops.coding_decision set code = 'X001'",
    "delete from ops.coding_decision",
    "truncate ops.coding_decision cascade",
    "update ops.coding_confirmation set confirmed_by = 'zhao'",
    "delete from ops.coding_confirmation",
    "update ops.coding_reopening set reference_version = 'v'",
    "delete from ops.coding_reopening",
]


def tried(bureau, change: str) -> str:
    with postgres.connect(bureau.home) as register:
        try:
            return "changed" if register.execute(change) else ""
        except psycopg.Error as error:
            register.rollback()
            return str(error.sqlstate)


def test_nothing_that_was_decided_can_be_changed_and_in_the_twin_without_guards_all_can(bureau, stent):
    number = decide(bureau.home, stent, code="C001", signed=LI).decision_id
    confirm(bureau.home, number, signed=WANG)
    with postgres.connect(bureau.home) as register:
        reviews.reopen(register, [number], reference_version="w")
    assert {change: tried(bureau, change) for change in CHANGES} == dict.fromkeys(CHANGES, "HW001")
    with postgres.connect(bureau.home) as register:
        for table in ("decision", "confirmation", "reopening"):
            register.execute(f"alter table ops.coding_{table} disable trigger user")
    assert [change for change in reversed(CHANGES) if tried(bureau, change) != "changed"] == []


@pytest.mark.parametrize("name", ["ｌｉ", "l\u200bi", "LI\u3000", "l\u0456", "\u202eli", "li\x00"])
def test_nobody_confirms_their_own_decision_under_a_name_that_looks_alike(bureau, stent, name: str):
    number = decide(bureau.home, stent, code="C001", signed=LI).decision_id
    with pytest.raises(Refusal, match="^E-CODING-(WHO|SAME-PERSON):"):
        confirm(bureau.home, number, signed=(name, "我确认"))


@pytest.mark.parametrize("name", ["ｌｉ", "l\u200bi", "LI\u3000", "l\u0456", "\u202eli", "Ｌ\uff29"])
def test_the_database_is_no_less_strict_with_other_clients(bureau, stent, name: str):
    number = decide(bureau.home, stent, code="C001", signed=LI).decision_id
    with postgres.connect(bureau.home) as register, pytest.raises(psycopg.Error, match="somebody else"):
        register.execute("insert into ops.coding_confirmation values (%s, %s, 'w')", (number, name))


def test_one_person_under_two_spellings_is_known_where_the_database_itself_cannot_fold(bureau, stent):
    number = decide(bureau.home, stent, code="C001", signed=("Weiß  Li", "说明书")).decision_id
    with refused("E-CODING-SAME-PERSON"):
        confirm(bureau.home, number, signed=("WEISS LI", "我确认"))


def test_what_the_reference_lost_meanwhile_is_not_confirmed(bureau, stent):
    number = decide(bureau.home, stent, code="C001", signed=LI).decision_id
    bureau.refer("consumable", [("C002", "别的支架", "")], since="2026-02-01")
    with refused("E-CODING-CODE"):
        confirm(bureau.home, number, signed=WANG)


@pytest.mark.parametrize("why", ["a\x00b", "\ud800"])
def test_a_reason_that_cannot_be_written_down_is_refused(bureau, drug, why: str):
    with refused("E-CODING-WHO"):
        decide(bureau.home, drug, code="X001", signed=("li", why))
