"""Broken twins of a grouping plan: for every check there is one that fails it."""

from dataclasses import replace

import pyarrow as pa
import pytest

from headwater.checks import GROUPING_SUITE
from headwater.claims.grouping import Plan
from headwater.claims.grouping.tables import Entry, Group, Listed, PlanTables
from headwater.errors import Message, Refusal

SOUND = PlanTables(
    name="sound",
    diagnoses={"A01.000": "甲", "A02.000": "乙", "B01.000": "丙", "B02.000": "丁"},
    operations={"01.0000": "切开", "02.0000": "切除"},
    diagnosis_map={"A01": "A01.000"},
    lists=(
        Listed("MDCA", "mdc_zd", "diagnosis", {"A01.000": "", "A02.000": ""}),
        Listed("MDCB", "mdc_zd", "diagnosis", {"B01.000": "", "B02.000": ""}),
        Listed("AB1", "adrg_ss", "operation", {"01.0000": ""}),
    ),
    mdcs=(Entry("MDCA", "", "PDX in mdc_zd"), Entry("MDCB", "", "PDX in mdc_zd and SEX == 1")),
    adrgs=(Entry("AB1", "MDCA", "MAINOP in adrg_ss"), Entry("AR1", "MDCA", "ALWAYS"), Entry("BR1", "MDCB", "ALWAYS")),
    drgs=(
        *(Group("AB11", "AB1", "MCC", "伴"), Group("AB15", "AB1", "ALWAYS", "不伴")),
        *(Group("AR13", "AR1", "MCC or CC", "伴"), Group("AR15", "AR1", "ALWAYS", "不伴")),
        *(Group("BR12", "BR1", "AGE_Y < 14", "儿童"), Group("BR19", "BR1", "ALWAYS", "")),
    ),
    complications=(("B01.000", "MCC", "1"), ("B02.000", "CC", "2"), ("A02.000", "CC", "2")),
    exclusions=(("1", "A02.000"), ("2", "B02.000")),
)


class _Says(Plan):
    """A plan whose answers a test spoils."""

    spoil = staticmethod(lambda plan, stays, answers: answers)

    def group(self, stays: pa.Table) -> pa.Table:
        return self.spoil(self, stays, Plan.group(self, stays))


def _spoiled(spoil):
    return type("Spoiled", (_Says,), {"spoil": staticmethod(spoil)})(SOUND)


def _set(answers, name, values):
    return answers.set_column(answers.column_names.index(name), name, pa.array(values, answers.schema.field(name).type))


def _by_first_two(plan, stays, answers):
    cut = pa.array([(codes or [])[:2] for codes in stays["diagnoses"].to_pylist()], pa.list_(pa.string()))
    return Plan.group(plan, stays.set_column(stays.column_names.index("diagnoses"), "diagnoses", cut))


def _by_neighbour(plan, stays, answers):
    count = len(answers)
    return answers.take(pa.array([max(at - 1, 0) for at in range(count)], pa.int64())) if count > 1 else answers


def _only_plain_lists(plan, stays, answers):
    if pa.types.is_large_list(stays["diagnoses"].type):
        raise Refusal("E-GROUP-TABLE", Message("坏", "bad"), Message("坏", "bad"))
    return answers


def _loses_the_invalid(plan, stays, answers):
    return answers.filter(pa.array([status != "invalid" for status in answers["status"].to_pylist()]))


class _Near(Plan):
    def near(self, stays, *, most=3):
        found = Plan.near(self, stays, most=most)
        return _set(found, "drg", ["AR15"] * len(found))


class _Lenient(Plan):
    def group(self, stays):
        try:
            return Plan.group(self, stays)
        except Refusal:
            return None


TWINS = {
    "check_groups_are_reached": lambda: Plan(replace(SOUND, drgs=(*SOUND.drgs, Group("AR19", "AR1", "MCC", "")))),
    "check_every_stay_of_an_adrg_has_a_drg": lambda: Plan(replace(SOUND, drgs=(SOUND.drgs[0], *SOUND.drgs[2:]))),
    "check_lists_name_known_codes": lambda: Plan(replace(SOUND, diagnosis_map={"A01": "Z99.000"})),
    "check_exclusions_are_defined": lambda: Plan(replace(SOUND, exclusions=SOUND.exclusions[1:])),
    "check_answers_are_well_formed": lambda: _spoiled(lambda p, s, a: _set(a, "status", ["fine"] * len(a))),
    "check_same_twice": lambda: _spoiled(lambda p, s, a: _set(a, "mdc", ["MDCX"] * len(a))),
    "check_order_of_secondary_diagnoses_does_not_matter": lambda: _spoiled(_by_first_two),
    "check_rows_do_not_matter_to_each_other": lambda: _spoiled(_by_neighbour),
    "check_any_column_type_will_do": lambda: _spoiled(_only_plain_lists),
    "check_odd_values_break_nothing": lambda: _spoiled(_loses_the_invalid),
    "check_what_is_near_lands_there": lambda: _Near(SOUND),
    "check_wrong_tables_are_refused": lambda: _Lenient(SOUND),
}


@pytest.mark.parametrize("check", GROUPING_SUITE.checks, ids=lambda check: check.__name__)
def test_the_check_catches_its_twin(check):
    assert replace(GROUPING_SUITE, checks=(check,)).failures(TWINS[check.__name__]()) == [check.__name__]


def test_a_twin_for_every_check():
    assert set(TWINS) == {check.__name__ for check in GROUPING_SUITE.checks}


def test_a_sound_plan_passes():
    assert GROUPING_SUITE.failures(Plan(SOUND)) == []
