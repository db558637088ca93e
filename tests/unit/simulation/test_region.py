import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import headwater.simulation.stays as stays_module
from headwater.errors import Refusal
from headwater.simulation import simulate

# Frozen: a change of the generator that moves a single byte of a delivery must be meant, and recorded here.
DIGEST = "990f561594f8d357ed7e4c97e52cc50773838614d44fabe44ba0d6edd9b0dbf5"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def test_a_small_region_is_frozen_byte_for_byte(tmp_path: Path) -> None:
    simulate(tmp_path / "in", hospitals=3, months=2, stays=200)
    assert _digest(tmp_path / "in") == DIGEST


def test_the_same_seed_gives_the_same_bytes_in_every_format(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(tmp_path / name / "in", hospitals=12, months=2, stays=300, seed=5)
    assert _digest(tmp_path / "a" / "in") == _digest(tmp_path / "b" / "in")
    assert _digest(tmp_path / "a" / "truth").isalnum()
    simulate(tmp_path / "c" / "in", hospitals=12, months=2, stays=300, seed=6)
    assert _digest(tmp_path / "c" / "in") != _digest(tmp_path / "a" / "in")


def test_writing_the_same_region_again_changes_nothing(tmp_path: Path) -> None:
    simulate(tmp_path / "in", hospitals=2, months=2, stays=40)
    before = _digest(tmp_path)
    simulate(tmp_path / "in", hospitals=2, months=2, stays=40)
    assert _digest(tmp_path) == before


def test_another_region_in_the_same_place_is_refused(tmp_path: Path) -> None:
    simulate(tmp_path / "in", hospitals=2, months=2, stays=40)
    with pytest.raises(Refusal, match="E-SIMULATION-OTHER"):
        simulate(tmp_path / "in", hospitals=2, months=2, stays=41)


def test_files_of_somebody_else_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in" / "h0101").mkdir(parents=True)
    with pytest.raises(Refusal, match="E-SIMULATION-OTHER"):
        simulate(tmp_path / "in", hospitals=2, months=2, stays=40)


def test_a_truth_among_the_deliveries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="E-SIMULATION-TRUTH"):
        simulate(tmp_path / "in", truth=tmp_path / "in" / "truth", hospitals=2, months=2, stays=40)
    assert not (tmp_path / "in").exists()


def test_progress_counts_hospital_months(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = simulate(
        tmp_path / "in",
        truth=tmp_path / "elsewhere",
        progress=lambda finished, total: seen.append((finished, total)),
        hospitals=3,
        months=2,
        stays=30,
    )
    assert seen == [(number, 6) for number in range(1, 7)]
    assert done.truth == str(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "region.json").exists()


def test_large_months_are_written_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stays_module, "BLOCK", 40)
    done = simulate(tmp_path / "in", hospitals=12, months=2, stays=2400, seed=9)
    stays = pq.read_table(tmp_path / "truth" / "stays.parquet")
    keys = set(zip(stays["source"].to_pylist(), stays["mdtrt_id"].to_pylist(), strict=True))
    assert len(keys) == done.stays == 2400
    lines = (tmp_path / "in" / "h0103" / "fee_lines_202512.tsv").read_text(encoding="utf-8").splitlines()
    marks = [
        mark
        for mark in pq.read_table(tmp_path / "truth" / "dirt.parquet").to_pylist()
        if mark["file"] == "fee_lines_202512.tsv" and mark["source"] == "h0103" and mark["field"]
    ]
    assert marks
    for mark in marks:
        assert mark["dirty"] in lines[mark["row_no"]].split("\t")


def test_months_of_an_outage_have_no_files(tmp_path: Path) -> None:
    simulate(tmp_path / "in", hospitals=12, months=4, stays=200)
    delivered = {file.stem[-6:] for file in (tmp_path / "in" / "h0110").glob("fee_lines_*")}
    assert delivered == {"202509", "202510", "202512"}
