"""Macro top-1, and what is counted of the charge masters."""

from pathlib import Path

import duckdb
import pytest

from headwater.bench.coding_charges import Answer, Charge, charges, charges_figure, macro


def _answer(name: str, code: str, said: str, *, taught: bool = True) -> Answer:
    return Answer(Charge("h", name, code, 0), said, 0.5, "review", taught)


def test_every_code_counts_the_same_and_untaught_ones_not_at_all():
    frequent = [_answer(f"a{n}", "A0001", "A0001") for n in range(9)]
    rare = [_answer("b", "B0001", "A0001"), _answer("c", "C0001", "A0001", taught=False)]
    assert macro([*frequent, *rare]) == pytest.approx(0.5)


def test_only_level_two_codes_are_read_and_only_once_a_hospital(tmp_path: Path):
    file = tmp_path / "cdm.parquet"
    rows = "('1', 'Cath  a', 'C1750'), ('1', 'CATH A', 'c1750.0'), ('2', 'CATH A', 'C1750'), ('2', 'VISIT', '99213')"
    duckdb.sql(f"select * from (values {rows}) t(oshpd_id, description, hcpcs)").write_parquet(str(file))
    read = charges(file)
    assert [(charge.hospital, charge.name, charge.code) for charge in read] == [
        ("1", "CATH A", "C1750"),
        ("2", "CATH A", "C1750"),
    ]
    assert read[0].fold == read[1].fold


def test_without_data_there_is_a_reason_and_no_number(tmp_path: Path):
    figure = charges_figure("ci", tmp_path)
    assert figure.value is None
    assert "ca_cdm" in figure.note
