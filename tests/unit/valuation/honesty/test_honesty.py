"""Every guard speaks of the lie it is for, is silent without it, and an honest source passes them all."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headwater.errors import Message, Refusal
from headwater.federation import CohortSums, GramQuestion, InProcess
from headwater.statistics import FeatureMap, Numeric, Statistic
from headwater.valuation import Target
from headwater.valuation.averaging import Told, own_values
from headwater.valuation.honesty import (
    Books,
    Claims,
    Finding,
    Report,
    Said,
    audit,
    bounded,
    commit,
    copies,
    detection,
    examine,
    months_add_up,
    needed,
    opens,
    recomputed,
    sums_agree,
    too_good,
)
from headwater.valuation.honesty.blocks import climb, places
from headwater.valuation.honesty.fit import _nearness

FEATURES = FeatureMap(tuple(Numeric(f"x{at}", 0.0, 1.0) for at in range(4)))
QUESTION = GramQuestion(FEATURES, target="label")
SECRET = b"s" * 32


def records(seed, count=200, noise=1.0, name="h"):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4))
    columns = {f"x{at}": x[:, at] for at in range(4)}
    label = x @ [0.5, -0.5, 0.3, 0.0] + noise * rng.normal(size=count)
    stays = [f"{name}{seed}-{at}" for at in range(count)]
    return pa.table(columns | {"label": label, "stay": stays, "month": np.arange(count) % 3})


def changed(table, row):
    labels = table["label"].to_numpy().copy()
    labels[row] += 1.0
    return table.set_column(table.schema.get_field_index("label"), "label", pa.array(labels))


def books(table):
    return Books(QUESTION, table, "stay", SECRET)


class Twin:
    """A witness that opens something else than it is bound to."""

    def __init__(self, honest, opening):
        self.statement, self._honest, self._opening = honest.statement, honest, opening

    def open(self, index):
        return self._opening(self._honest.open(index))


def checks(found):
    return {finding.check for finding in found}


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60), st.binary(min_size=16, max_size=20), st.integers(0, 400))
def test_a_commitment_opens_to_its_message_alone(message, salt, place):
    bound = commit(message, salt)
    assert opens(bound, message, salt)
    assert not opens(bound, message + b"0", salt)
    whole = bytearray(salt + message)
    whole[place % len(whole)] ^= 1
    assert not opens(bound, bytes(whole[len(salt) :]), bytes(whole[: len(salt)]))
    # The same bytes cut elsewhere are another pair: without the salt's length in the hash they would open it.
    assert not opens(bound, (salt + message)[len(salt) + 1 :], (salt + message)[: len(salt) + 1])


def test_a_short_salt_is_none():
    with pytest.raises(ValueError, match="16"):
        commit(b"", b"short")


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 190), st.integers(0, 10**6))
def test_blocks_add_up_to_the_statistic_and_every_one_opens(count, seed):
    table = records(seed, count)
    tree = books(table)
    assert tree.statement.root.statistic == QUESTION.of(table)
    assert tree.statement.covers(count, 20)
    for index in range(tree.statement.blocks):
        opening = tree.open(index)
        root = climb(opening, tree.statement.blocks)
        assert root is not None
        assert root.packed == tree.statement.root.packed
        assert QUESTION.family.records(opening.leaf.statistic) >= min(count, 20)
        assert climb(replace(opening, index=index + 1), tree.statement.blocks) is None or (
            climb(replace(opening, index=index + 1), tree.statement.blocks).packed != root.packed
        )


def test_a_key_that_stands_twice_is_refused():
    table = records(0, 30)
    with pytest.raises(Refusal, match="E-HONESTY-KEY"):
        books(pa.concat_tables([table, table.slice(0, 1)]))


def test_a_key_that_names_no_record_is_refused():
    table = records(0, 30)
    with pytest.raises(Refusal, match="E-HONESTY-KEY.*nokey"):
        Books(QUESTION, table, "nokey", SECRET)
    constant = table.set_column(table.column_names.index("stay"), "stay", pa.array(["s"] * table.num_rows))
    with pytest.raises(Refusal, match="E-HONESTY-KEY.*stay"):
        books(constant)


def test_an_honest_source_passes_the_audit():
    table = records(1)
    found = audit(books(table), QUESTION, rng=np.random.default_rng(0), claims=Claims(table, "stay"))
    assert found.findings == ()
    assert found.opened == found.blocks == 10
    assert found.detection == 1.0


@pytest.mark.parametrize(
    "lie",
    [
        lambda table: changed(table, 7),
        lambda table: table.slice(1),
        lambda table: pa.concat_tables([table, records(2, 1, name="made up")]),
    ],
    ids=["a label", "a record left out", "a record made up"],
)
def test_paid_claims_find_one_untrue_record(lie):
    table = records(1)
    found = audit(books(lie(table)), QUESTION, rng=np.random.default_rng(0), claims=Claims(table, "stay"))
    assert checks(found.findings) == {"claims"}
    assert all(finding.proved for finding in found.findings)
    blind = audit(books(lie(table)), QUESTION, rng=np.random.default_rng(0))
    assert blind.findings == ()


def test_a_block_at_either_end_of_the_places_cannot_be_left_out():
    table = records(1)
    order = np.argsort(places(table, "stay"))
    for end in (order[:1], order[-1:]):
        kept = table.take(pa.array(np.setdiff1d(np.arange(table.num_rows), end)))
        found = audit(books(kept), QUESTION, rng=np.random.default_rng(0), claims=Claims(table, "stay"))
        assert checks(found.findings) == {"claims"}


def test_an_opening_must_lead_to_the_commitment():
    honest, other = books(records(1)), books(changed(records(1), 7))
    lies = [
        lambda opening: other.open(opening.index),
        lambda opening: replace(opening, salt=bytes(16)),
        lambda opening: replace(opening, path=opening.path[:-1]),
        lambda opening: replace(opening, index=(opening.index + 1) % 10),
        lambda opening: replace(opening, leaf=replace(opening.leaf, high=opening.leaf.high - 1)),
    ]
    for lie in lies:
        found = audit(Twin(honest, lie), QUESTION, rng=np.random.default_rng(0))
        assert checks(found.findings) == {"opening"}
        assert len(found.findings) == 10


def test_fewer_blocks_than_agreed_are_no_blocks():
    coarse = replace(books(records(1)), floor=100)
    assert checks(audit(coarse, QUESTION, rng=np.random.default_rng(0)).findings) == {"blocks"}


def test_a_part_that_no_records_give_is_found_without_claims():
    tree = books(records(1))
    values = tree._leaves[3].statistic.values.copy()
    values[0] += np.uint64(1)
    leaf = tree._leaves[3]
    wrong = type(leaf).leaf(leaf.low, leaf.high, Statistic("gram", (5,), values), tree._salt(3))
    tree.__dict__["_leaves"] = [*tree._leaves[:3], wrong, *tree._leaves[4:]]
    assert "impossible" in checks(audit(tree, QUESTION, rng=np.random.default_rng(0)).findings)


@given(st.integers(1, 60), st.data())
def test_as_many_blocks_are_opened_as_it_takes(blocks, data):
    bad = data.draw(st.integers(1, blocks))
    opened = needed(blocks, bad)
    assert detection(blocks, bad, opened) >= 0.99
    assert detection(blocks, bad, opened - 1) < 0.99


def test_detection_is_what_drawing_gives():
    rng = np.random.default_rng(0)
    met = np.mean([(rng.choice(40, 12, replace=False) < 3).any() for _ in range(4000)])
    assert met == pytest.approx(detection(40, 3, 12), abs=0.03)


def test_months_add_up_to_the_last_bit():
    table = records(1)
    month = table["month"].to_numpy()
    months = [QUESTION.of(table.filter(pa.array(month == one))) for one in range(3)]
    assert months_add_up(QUESTION.of(table), months) == ()
    assert months_add_up(QUESTION.of(changed(table, 3)), months)[0].proved
    assert months_add_up(QUESTION.of(table), months[:2])[0].proved


def test_sums_tell_who_said_two_things():
    tables = {f"h{at}": records(at, 30) for at in range(9)}
    said = {source: QUESTION.of(table) for source, table in tables.items()}
    rows = np.arange(9) // 3 == np.arange(3)[:, None]
    columns = np.arange(9) % 3 == np.arange(3)[:, None]
    masks = np.concatenate([rows, columns])

    def sums(masks):
        return [Statistic.total(QUESTION.of(tables[f"h{at}"]) for at in np.flatnonzero(mask)) for mask in masks]

    assert not any(sums_agree(said, masks, sums(masks)).values())
    lied = said | {"h4": QUESTION.of(changed(tables["h4"], 0))}
    found = sums_agree(lied, masks, sums(masks))
    assert [source for source, findings in found.items() if findings] == ["h4"]
    assert found["h4"][0].proved
    # In one division nobody can be told apart: all three are suspected, none is proved.
    found = sums_agree(lied, rows, sums(rows))
    assert [source for source, findings in found.items() if findings] == ["h3", "h4", "h5"]
    assert not any(findings[0].proved for findings in found.values() if findings)


def test_copies_are_suspected_and_honest_neighbours_are_not():
    said = {f"h{at}": QUESTION.of(records(at, 150)) for at in range(6)}
    own = records(99, 300)
    assert not any(copies(said, QUESTION, own).values())
    again = said | {"copy": QUESTION.of(records(2, 150))}
    assert {source for source, found in copies(again, QUESTION, own).items() if found} == {"h2", "copy"}
    scaled = said | {"twice": QUESTION.of(records(2, 150)).merge(QUESTION.of(records(2, 150)))}
    assert {source for source, found in copies(scaled, QUESTION, own).items() if found} == {"h2", "twice"}
    mixed = said | {"mixed": Statistic.total(said.values())}
    assert copies(mixed, QUESTION, own)["mixed"]
    assert copies(said | {"stolen": QUESTION.of(own)}, QUESTION, own)["stolen"]
    assert not any(finding.proved for found in copies(again, QUESTION, own).values() for finding in found)


def test_many_features_make_no_honest_source_a_copy():
    # Directions taken from the records that also say how much they vary would make 2,000 products seem to vary more.
    wide = FeatureMap(tuple(Numeric(f"w{at}", 0.0, 1.0) for at in range(60)))
    question = GramQuestion(wide, target="label")

    def drawn(seed, count):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(count, 60))
        columns = {f"w{at}": x[:, at] for at in range(60)}
        return pa.table(columns | {"label": x[:, :8].sum(axis=1) + rng.normal(size=count)})

    said = {f"h{at}": question.of(drawn(at, 150)) for at in range(30)}
    assert not any(copies(said, question, drawn(99, 300)).values())
    found = copies(said | {"copy": question.of(drawn(2, 150))}, question, drawn(99, 300))
    assert {source for source, findings in found.items() if findings} == {"h2", "copy"}


def fitted(said, judge):
    statistic = QUESTION.of(judge)
    return too_good(QUESTION.of(said), QUESTION.family, usual=QUESTION.of(records(98, 300)), judge=statistic)


def on_the_line_of(judge, table, share):
    line = QUESTION.family.solve(QUESTION.of(judge), ridge=1.0)
    labels = table["label"].to_numpy().copy()
    touched = np.arange(len(labels)) < share * len(labels)
    labels[touched] = (FEATURES.transform(table) @ line)[touched]
    return table.set_column(table.schema.get_field_index("label"), "label", pa.array(labels))


def test_labels_on_the_judges_own_line_are_suspected():
    judge = records(99, 150)
    found = fitted(on_the_line_of(judge, records(1), 1.0), judge)
    assert [(one.check, one.proved) for one in found] == [("fit", False)]
    assert found[0].evidence["nearness"] < 1e-6
    assert fitted(on_the_line_of(judge, records(1), 1.0), records(97, 150)) == ()


@pytest.mark.parametrize("said", [records(1), records(1, noise=3.0), records(1, 3)])
def test_honest_labels_are_not_suspected(said):
    assert fitted(said, records(99, 150)) == ()


def test_a_ward_whose_labels_hardly_vary_is_not_suspected_for_that():
    assert [fitted(records(seed, noise=0.05), records(1000 + seed, 150)) for seed in range(1, 60)] == [()] * 59


def test_how_near_honest_records_lie_to_the_judges_line_is_uniform():
    judges = [QUESTION.of(records(1000 + seed, 150)) for seed in range(200)]
    found = [_nearness(QUESTION.of(records(seed)), judge, QUESTION.family) for seed, judge in enumerate(judges)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_a_copied_source_is_cleared_once_its_copier_is_proved():
    about = Finding("copies", False, Message("", ""), other="copier")
    lie = Finding("claims", True, Message("", ""))
    assert Report({"copied": (about,), "copier": (lie,)}).suspected == ()
    assert Report({"copied": (about,), "copier": ()}).suspected == ("copied",)


def test_an_inflated_scalar_is_recomputed_and_bounded():
    tables = {f"h{at:02d}": records(at, 40) for at in range(15)}
    masks = np.arange(15) // 5 == np.arange(3)[:, None]
    cohorts = CohortSums(InProcess.of(tables), QUESTION)
    sums = cohorts.reveal(masks)
    own, valid = QUESTION.of(records(98, 60)), QUESTION.of(records(99, 200))
    told = Told(QUESTION.family, 1.0, sums, (5, 5, 5), ((0, 1, 2),), own, valid, 0)
    values = own_values(cohorts, told, masks)
    for at in (0, 7, 14):
        statistic = QUESTION.of(tables[f"h{at:02d}"])
        assert recomputed(values[at], told, statistic, [at // 5]) == ()
        assert recomputed(1.01 * values[at], told, statistic, [at // 5])[0].proved
    lied = values.copy()
    lied[3] = 100.0
    assert bounded(lied)[3] < 1.0
    assert np.isfinite(bounded(lied)).all()


def test_examine_refuses_who_is_proved_and_names_who_is_suspected():
    target = Target(records(97, 100), records(98, 100), "label", FEATURES)
    question = target.question
    tables = {f"h{at}": records(at, 60) for at in range(4)}

    def said(table, paid):
        tree = Books(question, table, "stay", SECRET)
        return Said(tree.statement.root.statistic, tree, claims=Claims(paid, "stay"))

    everyone = {source: said(table, table) for source, table in tables.items()}
    report = examine(everyone, target, rng=np.random.default_rng(0))
    assert report.refused == {}
    assert report.suspected == ()
    assert set(report.opened.values()) == {3}
    other = replace(everyone["h0"], statistic=question.of(tables["h1"].slice(1)))
    lies = everyone | {"h0": other, "h1": said(changed(tables["h1"], 0), tables["h1"])}
    report = examine(
        lies | {"h4": Said(question.of(on_the_line_of(target.valid, records(5, 60), 1.0)))},
        target,
        rng=np.random.default_rng(0),
    )
    assert set(report.refused) == {"h0", "h1"}
    assert report.suspected == ("h4",)
    assert "h1" in report.refused["h1"].reason.zh
    assert checks(report.findings["h0"]) >= {"commitment"}
