"""Charge names in Latin words: read, learned from hospitals, asked of another one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.claims.coding import Matcher
from headwater.claims.coding.wording.sources import drawn, folds
from headwater.claims.coding.wording.strengths import Strengths
from headwater.claims.coding.wording.words import codes_in, plain, said, standard

_TEXT = """
amikacin ampicillin atropine aztreonam bleomycin bumetanide caffeine calcitriol
carboplatin cefazolin cefepime cefoxitin cisplatin cladribine clindamycin cytarabine
dacarbazine daptomycin digoxin dopamine doripenem doxercalciferol enoxaparin eptifibatide
ertapenem etoposide famotidine fentanyl fluconazole fludarabine furosemide gemcitabine
gentamicin glucagon haloperidol ibutilide idarubicin ifosfamide irinotecan ketorolac
labetalol leucovorin linezolid lorazepam
"""
_DRUGS = _TEXT.split()
_STYLES = {
    "north": ("{0} 10 MG/ML INJECTION VIAL", "{0} SODIUM 2 ML INJ"),
    "south": ("INJ {1} PER 5MG", "HC {1} IVPB 50ML"),
    "west": ("{0} (PF) 5 MG IJ SOLN", "{0} IV SOLR 1 EACH"),
}


def _names(source: str) -> list[tuple[str, str, str]]:
    return [
        (style.format(drug.upper(), drug[:7].upper()), f"J{place:04}", source)
        for place, drug in enumerate(_DRUGS)
        for style in _STYLES[source]
    ]


@pytest.fixture(scope="module")
def labelled() -> pa.Table:
    rows = [row for source in _STYLES for row in _names(source)]
    return pa.table(dict(zip(("name", "code", "source_id"), map(list, zip(*rows, strict=True)), strict=True)))


@pytest.fixture(scope="module")
def reference() -> pa.Table:
    return pa.table(
        {"code": [f"J{n:04}" for n in range(len(_DRUGS))], "name": [f"{d} 10 MG INJECTION" for d in _DRUGS]}
    )


@pytest.fixture(scope="module")
def matcher(reference: pa.Table, labelled: pa.Table) -> Matcher:
    return Matcher.fit(reference, labelled, kind="service")


def test_glued_units_come_apart_and_shorthand_is_spelled_out():
    assert standard(plain("METHYLPRED125MGIJ")) == ["methylprednisolone", "125", "mg", "injection"]
    assert standard(plain("Cath W/O Bln 2.50 MM")) == ["catheter", "without", "balloon", "2.5", "mm"]
    assert said(plain("PLT LCK")) == ["plt", "lck", "plate", "locking"]
    assert standard(plain("SCREW 4.5X36MM 02210114")) == ["screw", "x", "36", "mm"]


def test_a_code_in_a_name_is_seen():
    assert codes_in(plain("WHFO CUSTOM L3806")) == ["L3806"]
    assert codes_in(plain("CD2357-40Q 12345")) == []


def test_another_hospital_is_understood(matcher: Matcher):
    names = [f"{drug.capitalize()} inj, {drug[:5]} 25mg/vial" for drug in _DRUGS]
    got = matcher.match(pa.table({"name": names}))
    right = [best[0]["code"] == f"J{n:04}" for n, best in enumerate(got["alternatives"].to_pylist())]
    assert np.mean(right) == 1.0


def test_it_is_the_same_every_time_and_after_saving(
    matcher: Matcher, reference: pa.Table, labelled: pa.Table, tmp_path: Path
):
    asked = pa.table({"name": ["LORAZ 2MG IJ", "gent per 80 mg", "xyzzy", "x", "", "阿莫西林", "A\x00B" * 5000]})
    told = matcher.match(asked)
    turned = labelled.take(pa.array(np.random.default_rng(1).permutation(len(labelled))))
    again = Matcher.fit(reference, turned, kind="service")
    assert again.match(asked).equals(told)
    matcher.save(tmp_path / "m")
    back = Matcher.load(tmp_path / "m")
    assert back.match(asked).equals(told)
    assert back.version == matcher.version == again.version
    assert told["decision"].to_pylist()[3:] == ["none"] * 4


def test_nothing_is_automatic_when_nobody_said_who_writes_so(reference: pa.Table, labelled: pa.Table, matcher: Matcher):
    unsourced = Matcher.fit(reference, labelled.drop_columns(["source_id"]), kind="service")
    asked = labelled.select(["name"])
    sourced = matcher.match(asked)
    sure = sourced.filter(pc.equal(sourced["decision"], "auto"))["confidence"].to_pylist()
    assert sure
    assert min(sure) >= 0.98
    assert "auto" not in unsourced.match(asked)["decision"].to_pylist()


def test_a_strength_that_nobody_calls_a_code_by_is_never_automatic(matcher: Matcher):
    """Twice the same names, once in a strength that other hospitals use: only there may they be automatic."""
    stated = {mg: [f"{drug.upper()} {mg} MG/ML INJECTION VIAL" for drug in _DRUGS] for mg in (10, 7)}
    usual, other = (matcher.match(pa.table({"name": names})) for names in stated.values())
    assert usual["code"].to_pylist() == other["code"].to_pylist()
    assert "auto" in usual["decision"].to_pylist()
    assert set(zip(other["decision"].to_pylist(), other["reason"].to_pylist(), strict=True)) == {("review", "conflict")}
    assert max(other["confidence"].to_pylist()) <= 0.5


@pytest.mark.parametrize(
    ("name", "conflicts"),
    [
        ("X 1 GM", False),
        ("X 1000MG INJ", False),
        ("X 2 GM", True),
        ("X", False),
        ("X 5 ML", False),
        ("X 0.5G 2ML", True),
    ],
)
def test_strengths_are_compared_in_base_units_and_silence_is_no_conflict(name: str, conflicts: bool):
    known = Strengths.among(["x 1g vial", "x tablet"], ["J1", "J1"])
    assert known.conflict([name, name], ["J1", "J2"]).tolist() == [conflicts, False]


def test_an_official_name_that_a_hospital_wrote_stays_with_the_hospital(labelled: pa.Table):
    first = labelled.slice(0, 2 * len(_DRUGS)).select(["code", "name"])
    matcher = Matcher.fit(first, labelled, kind="service")
    assert matcher.wording is not None
    assert "reference" not in matcher.wording.pairs.source


def test_chinese_names_go_the_other_way():
    names = [f"第{n}号检查" for n in range(250)]
    table = pa.table({"code": [str(n) for n in range(250)], "name": names})
    assert Matcher.fit(table, table, kind="service").wording is None


def test_hospitals_that_print_one_list_are_one_fold():
    names = [f"item {n}" for n in range(30)] + [f"item {n}" for n in range(10, 40)] + [f"other {n}" for n in range(9)]
    fold = folds(names, ["a"] * 30 + ["b"] * 30 + ["c"] * 9).tolist()
    assert len(set(fold[:60])) == 1
    assert fold[60] != fold[0]


def test_frequent_codes_are_drawn_to_a_few():
    kept = drawn(["c"] * 50 + ["d"], ["h"] * 51, 8, np.random.default_rng(0)).tolist()
    assert len(kept) == 9
    assert kept == sorted(kept)
    assert 50 in kept
