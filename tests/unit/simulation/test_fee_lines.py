import numpy as np
import pytest

from headwater.simulation.costs import costs
from headwater.simulation.fee_lines import Lines, Payment, bill, pay
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.local import local_items
from headwater.simulation.reference import items, operations
from headwater.simulation.stays import Place, Stays, blocks, draw

REGION = Region(stays=6_000, months=4)
Billed = tuple[Place, Stays, Lines, Payment, np.ndarray]


@pytest.fixture(scope="module")
def billed() -> list[Billed]:
    done = []
    for hospital in roster(REGION):
        for month in range(REGION.months):
            for place in blocks(REGION, hospital, month):
                stays = draw(place)
                target = costs(place, stays)
                lines = bill(place, stays, target)
                done.append((place, stays, lines, pay(place, stays, lines), target))
    return done


def test_lines_add_up_to_the_fen(billed: list[Billed]) -> None:
    for place, stays, lines, payment, _ in billed:
        price = local_items(REGION, place.hospital).price_fen[lines.item]
        assert np.array_equal(lines.amount_fen, lines.count * price)
        sums = [int(lines.amount_fen[lines.stay == n].sum()) for n in range(len(stays))]
        assert sums == payment.total.tolist()
        assert np.array_equal(payment.fund + payment.patient, payment.total)
        assert np.all(payment.fund >= 0)
        assert np.all(payment.fund < payment.total)


def test_a_stay_has_about_25_lines_numbered_in_order_within_its_time(billed: list[Billed]) -> None:
    assert 23 < sum(len(lines) for _, _, lines, _, _ in billed) / REGION.stays < 27
    for _, stays, lines, _, _ in billed:
        assert np.all(np.diff(lines.stay) >= 0)
        assert np.array_equal(lines.rank == 1, np.r_[True, np.diff(lines.stay) > 0])
        assert np.all((lines.minute >= stays.begin[lines.stay]) & (lines.minute <= stays.end[lines.stay]))
        # Every negative line reverses one before it, and another after it bills the same again.
        back = np.flatnonzero(lines.count < 0)
        assert np.all(lines.count != 0)
        assert len(back) < 0.01 * len(lines)
        for place in back[:20]:
            twins = (lines.stay == lines.stay[place]) & (lines.item == lines.item[place])
            twins &= lines.count == -lines.count[place]
            assert twins[:place].any()
            assert twins[place:].any()


def test_only_carried_items_are_billed(billed: list[Billed]) -> None:
    for place, _, lines, _, _ in billed:
        assert local_items(REGION, place.hospital).carried[lines.item].all()


def test_operations_are_billed_with_what_they_use(billed: list[Billed]) -> None:
    names = np.array([item.base for item in items()])
    missing = total = 0
    for place, stays, lines, _, _ in billed:
        if place.hospital.regime(place.month) != "good":
            continue
        for n in np.flatnonzero(stays.operations[:, 0] >= 0)[:40]:
            main = stays.operations[n, 0]
            on_bill = set(names[lines.item[lines.stay == n]])
            total += 1
            missing += operations().name[main] not in on_bill
    assert total > 200
    assert missing < 0.02 * total


def test_the_sum_stays_close_to_the_target(billed: list[Billed]) -> None:
    good = [entry for entry in billed if entry[0].hospital.before == "good" == entry[0].hospital.after]
    error = np.concatenate([np.log(payment.total / 100 / target) for _, _, _, payment, target in good])
    assert abs(error.mean()) < 0.02
    assert error.std() < 0.06


def test_drugs_and_consumables_have_plausible_shares(billed: list[Billed]) -> None:
    category = np.array([item.category for item in items()])
    amounts: dict[str, int] = {}
    for _, _, lines, _, _ in billed:
        for code in np.unique(category):
            amounts[code] = amounts.get(code, 0) + int(lines.amount_fen[category[lines.item] == code].sum())
    total = sum(amounts.values())
    assert 0.2 < (amounts["09"] + amounts["11"]) / total < 0.4
    assert 0.08 < amounts["08"] / total < 0.25
    assert all(amount > 0 for amount in amounts.values())


def test_employees_and_small_hospitals_pay_less_themselves(billed: list[Billed]) -> None:
    share: dict[tuple[int, bool], list[float]] = {}
    for place, stays, _, payment, _ in billed:
        for employee in (True, False):
            chosen = stays.employee == employee
            if chosen.any():
                own = payment.patient[chosen].sum() / payment.total[chosen].sum()
                share.setdefault((place.hospital.level, employee), []).append(float(own))
    mean = {key: np.mean(values) for key, values in share.items()}
    assert mean[3, True] < mean[3, False]
    assert mean[2, False] < mean[3, False]
