from pathlib import Path

import pytest
import yaml

from headwater.claims.contract import Contract, parse_contract
from headwater.claims.reading import read
from headwater.simulation import Truth, simulate
from headwater.simulation.contracts import contract, contract_text, write_contracts
from headwater.simulation.hospitals import Hospital, Region, roster

PROJECT = Path(__file__).parents[3]


def _contract(text: str) -> Contract:
    return parse_contract(yaml.safe_load(text)["sources"][0], where="test")


@pytest.mark.parametrize("hospital", roster(Region()), ids=lambda hospital: hospital.source)
def test_the_committed_contract_is_what_the_generator_writes(hospital: Hospital) -> None:
    file = PROJECT / "dbt_project" / "models" / "staging" / hospital.source / f"_{hospital.source}.yml"
    assert file.read_text(encoding="utf-8") == contract_text(hospital)


@pytest.mark.parametrize("hospital", roster(Region(hospitals=60)), ids=lambda hospital: hospital.source)
def test_every_contract_is_accepted(hospital: Hospital) -> None:
    parsed = _contract(contract_text(hospital))
    assert parsed.source_id == hospital.source
    assert parsed.origin == "synthetic"
    assert {table.entity.name for table in parsed.tables} >= {
        "front_page",
        "diagnosis",
        "operation",
        "fee_line",
        "drug",
    }


def test_codes_are_quoted_so_that_no_reader_takes_them_for_numbers() -> None:
    text = contract_text(roster(Region())[3])
    assert "材料: '08'" in text
    assert "level: '1'" in text


def test_files_have_what_their_contract_names(written: Truth) -> None:
    folder = Path(written.deliveries)
    for hospital in roster(Region(hospitals=12, months=4, stays=1500, seed=7)):
        for table in _contract(contract_text(hospital)).tables:
            files = sorted((folder / hospital.source).glob(table.files))
            assert files
            delivery = read(files[0], name=files[0].name, table=table)
            assert set(table.delivered_columns) <= set(delivery.header)
            assert sum(batch.num_rows for batch in delivery.batches) > 0


def test_contracts_of_further_hospitals_are_delivered_with_their_files(tmp_path: Path) -> None:
    simulate(tmp_path / "in", hospitals=32, months=1, stays=400, seed=3)
    files = sorted((tmp_path / "in" / "contracts").glob("*/_*.yml"))
    assert [file.parent.name for file in files] == [f"h{number:04d}" for number in range(113, 133)]
    for file in files:
        for table in _contract(file.read_text(encoding="utf-8")).tables:
            found = sorted((tmp_path / "in" / file.parent.name).glob(table.files))
            assert len(found) == 1
            delivery = read(found[0], name=found[0].name, table=table)
            assert set(table.delivered_columns) <= set(delivery.header)
            sum(batch.num_rows for batch in delivery.batches)
            assert len(delivery.misshapen) < 5


def test_a_contract_that_lost_a_required_column_is_refused() -> None:
    document = contract(roster(Region())[0])
    del document["sources"][0]["tables"][0]["config"]["meta"]["columns"]["mdtrt_id"]
    with pytest.raises(Exception, match="E-CONTRACT"):
        parse_contract(document["sources"][0], where="test")


def test_contracts_are_written_one_folder_a_source(tmp_path: Path) -> None:
    files = write_contracts(tmp_path, roster(Region(hospitals=2, months=1, stays=2)))
    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["h0101/_h0101.yml", "h0102/_h0102.yml"]
