from dataclasses import fields

import numpy as np
import pytest

from headwater.simulation.hospitals import Region, roster
from headwater.simulation.reference import diseases
from headwater.simulation.stays import Place, Stays, blocks, draw

REGION = Region(stays=24_000)


@pytest.fixture(scope="module")
def all_stays() -> list[tuple[Place, Stays]]:
    places = [p for h in roster(REGION) for month in range(REGION.months) for p in blocks(REGION, h, month)]
    return [(place, draw(place)) for place in places]


def test_blocks_hold_what_is_scheduled(all_stays: list[tuple[Place, Stays]]) -> None:
    assert sum(len(stays) for _, stays in all_stays) == REGION.stays


def test_times_days_and_ages_agree(all_stays: list[tuple[Place, Stays]]) -> None:
    for place, stays in all_stays:
        first = np.datetime64(place.region.month(place.month), "M")
        assert np.all(stays.end > stays.begin)
        assert np.all((stays.end // 1440).astype("M8[D]").astype("M8[M]") == first)
        assert np.all(stays.birth * 1440 <= stays.begin)
        if place.hospital.copies is None:
            assert np.array_equal(stays.end // 1440 - stays.begin // 1440, stays.days)
        for birth, begin, age in zip(stays.birth[:50], stays.begin[:50], stays.age[:50], strict=True):
            born, there = (int(day) for day in (birth, begin // 1440))
            born_on, there_on = np.datetime64(born, "D").item(), np.datetime64(there, "D").item()
            before = (there_on.month, there_on.day) < (born_on.month, born_on.day)
            assert age == there_on.year - born_on.year - before


def test_diseases_suit_the_patient(all_stays: list[tuple[Place, Stays]]) -> None:
    letter, male = np.array(diseases().letter), diseases().male
    for _, stays in all_stays:
        assert not stays.male[letter[stays.recorded] == "O"].any()
        assert np.all(stays.age[letter[stays.disease] == "P"] == 0)
        assert not stays.male[male[stays.recorded] == 0].any()
        others = stays.others[stays.others >= 0]
        assert np.all(diseases().beside[others] > 0)


def test_diagnoses_and_operations_are_listed_without_gaps_or_repetition(all_stays: list[tuple[Place, Stays]]) -> None:
    for place, stays in all_stays:
        for listed in (stays.others, stays.operations):
            filled = listed >= 0
            assert np.all(filled[:, :-1] >= filled[:, 1:])
            for row in listed[:100]:
                present = row[row >= 0]
                assert len(set(present)) == len(present)
        if place.hospital.before != "upcoded":
            assert np.array_equal(stays.disease, stays.recorded)
        else:
            assert np.mean(stays.disease != stays.recorded) > 0.2


def test_nobody_lies_in_two_beds_of_one_hospital_and_some_come_back(all_stays: list[tuple[Place, Stays]]) -> None:
    returned = 0
    for hospital in roster(REGION):
        here = [stays for place, stays in all_stays if place.hospital == hospital]
        person = np.concatenate([stays.person for stays in here])
        begin, end = (np.concatenate([getattr(stays, name) for stays in here]) for name in ("begin", "end"))
        order = np.lexsort((begin, person))
        same = person[order][1:] == person[order][:-1]
        assert np.all(begin[order][1:][same] > end[order][:-1][same])
        returned += int(same.sum())
    assert 0.03 < returned / REGION.stays < 0.08


def test_a_copying_hospital_repeats_the_other_one(all_stays: list[tuple[Place, Stays]]) -> None:
    copying = next(hospital for hospital in roster(REGION) if hospital.copies is not None)
    stays = {(place.hospital.number, place.month): drawn for place, drawn in all_stays}
    for month in range(REGION.months):
        mine, theirs = stays[copying.number, month], stays[copying.copies, month]
        assert np.all(mine.original >= 0)
        for name in ("person", "birth", "days", "disease", "severity", "way"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name)[mine.original])
        assert np.abs(mine.end - theirs.end[mine.original]).max() <= 30


def test_a_block_can_be_drawn_again() -> None:
    place = blocks(REGION, roster(REGION)[1], 5)[0]
    first, again = draw(place), draw(place)
    assert all(np.array_equal(getattr(first, f.name), getattr(again, f.name)) for f in fields(Stays))


def test_winter_brings_lungs_and_small_hospitals_leave_great_operations_to_others() -> None:
    region = Region(hospitals=12, months=12, stays=60_000)
    letter = np.array(diseases().letter)
    share = {}
    for month in (0, 6):
        drawn = [draw(p) for h in roster(region) for p in blocks(region, h, month)]
        share[month] = np.mean(np.concatenate([letter[stays.disease] == "J" for stays in drawn]))
    assert share[0] > 1.3 * share[6]
