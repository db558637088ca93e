"""A contract that was kept as text is the same contract."""

from pathlib import Path

import pytest

from headwater.claims.kept import restored, written
from headwater.content.contracts import contract_files, read_contracts

PROJECT = Path(__file__).resolve().parents[3]
TABLES = [
    table
    for contract in read_contracts(contract_files(PROJECT, PROJECT / "none")).values()
    for table in contract.tables
]


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_every_contract_of_the_project_comes_back(number: int) -> None:
    assert restored(written(TABLES[number])) == TABLES[number]
