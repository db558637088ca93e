"""Values under other judging records, against the game played anew with those records."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.valuation import GramUtility, Target, exact, leave_one_out
from headwater.valuation.judging import rejudged, worth_by_record


def records(count: int, seed: int, *, noise: float = 1.0, sign: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": sign * (x @ [1.0, -0.5]) + noise * rng.normal(size=count)})


TARGET = Target.of(records(60, 0, noise=2.0), label="y", rng=np.random.default_rng(0))
TABLES = {"good": records(80, 1), "also": records(60, 2), "turned": records(40, 3, sign=-1.0), "few": records(5, 4)}


def game_of(tables=TABLES, target=TARGET, *, valid=None) -> GramUtility:
    question = target.question
    statistics = {name: question.of(table) for name, table in tables.items()}
    valid = target.valid if valid is None else valid
    return GramUtility(question.of(target.train), statistics, question.of(valid), question.family, target.ridge)


def valued(game, method=exact):
    return method(game, game.players, rng=np.random.default_rng(1))


def test_a_resample_of_the_worths_is_the_game_judged_by_the_resampled_records():
    game = game_of()
    labels = TARGET.question.labels(TARGET.valid)
    worth = worth_by_record(game, TARGET, rng=np.random.default_rng(2))
    assert worth.shape == (4, TARGET.valid.num_rows)
    for seed in range(5):
        drawn = np.random.default_rng(seed).integers(0, len(labels), len(labels))
        again = valued(game_of(valid=TARGET.valid.take(pa.array(drawn))))
        squares = np.square(labels[drawn] - labels[drawn].mean()).sum()
        np.testing.assert_allclose(worth[:, drawn].sum(axis=1) / squares, again.values, atol=1e-8)


def test_many_sources_take_random_orders_that_agree_with_the_exact_worths(monkeypatch):
    exactly = worth_by_record(game_of(), TARGET, rng=np.random.default_rng(2))
    monkeypatch.setattr("headwater.valuation.judging._EXACT_UP_TO", 3)
    by_orders = worth_by_record(game_of(), TARGET, rng=np.random.default_rng(2))
    assert np.corrcoef(exactly.ravel(), by_orders.ravel())[0, 1] > 0.99
    # Every order shares out the same whole, record by record.
    np.testing.assert_allclose(by_orders.sum(axis=0), exactly.sum(axis=0), atol=1e-9)


def test_the_interval_holds_the_value_and_is_what_a_plain_bootstrap_gives():
    game = game_of()
    valuation = valued(game)
    found = rejudged(game, TARGET, valuation, rng=np.random.default_rng(3))
    assert (found.low < valuation.values).all()
    assert (valuation.values < found.high).all()
    rng, plain = np.random.default_rng(4), []
    for _ in range(300):
        drawn = rng.integers(0, TARGET.valid.num_rows, TARGET.valid.num_rows)
        plain.append(valued(game_of(valid=TARGET.valid.take(pa.array(drawn)))).values)
    width = np.ptp(np.quantile(plain, [0.025, 0.975], axis=0), axis=0)
    np.testing.assert_allclose(found.high - found.low, width, rtol=0.3)
    assert found.records == TARGET.valid.num_rows


def test_clear_ranks_are_stable_and_twins_are_not():
    tables = {"good": records(80, 1), "twin": records(80, 11), "turned": records(80, 3, sign=-1.0)}
    game = game_of(tables)
    found = rejudged(game, TARGET, valued(game), rng=np.random.default_rng(3))
    turned = game.players.index("turned")
    assert found.stability[turned] == 1.0
    assert found.ranks[turned].tolist() == [3, 3]
    assert (np.delete(found.stability, turned) < 1.0).all()
    assert np.delete(found.ranks, turned, axis=0).tolist() == [[1, 2], [1, 2]]


def test_more_judging_records_leave_less_open():
    widths = []
    for count in (60, 600):
        target = Target.of(records(count, 0, noise=2.0), label="y", rng=np.random.default_rng(0))
        game = game_of(target=target)
        found = rejudged(game, target, valued(game), rng=np.random.default_rng(3))
        widths.append(float((found.high - found.low).mean()))
    assert widths[1] < widths[0] / 2


def test_what_sampling_left_open_widens_the_interval():
    game = game_of()
    sure = valued(game)
    doubtful = type(sure)(sure.players, sure.values, sure.low - 0.5, sure.high + 0.5, sure.evaluations, sure.method)
    wide, narrow = (rejudged(game, TARGET, one, rng=np.random.default_rng(3)) for one in (doubtful, sure))
    assert (wide.high - wide.low > narrow.high - narrow.low + 0.4).all()


def test_a_rare_label_that_is_drawn_away_says_nothing():
    table = records(40, 5).drop_columns(["y"]).append_column("y", pa.array([1.0] + [0.0] * 39))
    target = Target.of(table, label="y", rng=np.random.default_rng(0))
    game = game_of({"one": table, "two": table}, target)
    found = rejudged(game, target, valued(game), rng=np.random.default_rng(3))
    assert np.isfinite(found.low).all()
    assert np.isfinite(found.high).all()


def test_players_must_be_the_games():
    others = leave_one_out(game_of(), ("x", "y", "z", "w"), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="different players"):
        rejudged(game_of(), TARGET, others, rng=np.random.default_rng(0))
