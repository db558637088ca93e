import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.simulation import Truth


def _table(written: Truth, name: str) -> pa.Table:
    return pq.read_table(Path(written.truth) / f"{name}.parquet")


def test_the_truth_lies_outside_the_deliveries(written: Truth) -> None:
    truth, deliveries = Path(written.truth), Path(written.deliveries)
    assert not truth.is_relative_to(deliveries)
    assert {file.name for file in truth.iterdir()} == {
        *("region.json", "stays.parquet", "dirt.parquet", "hospitals.parquet", "changes.parquet"),
        *("items.parquet", "catalogue.parquet"),
    }
    assert not [file for file in deliveries.rglob("*") if "truth" in file.name]


def test_the_region_says_what_it_is(written: Truth) -> None:
    document = json.loads((Path(written.truth) / "region.json").read_text(encoding="utf-8"))
    assert document["complete"] is True
    assert document["region"] == {"hospitals": 12, "months": 4, "stays": 1500, "seed": 7, "dirt": True}
    assert document["summary"]["fee_lines"] == written.fee_lines
    assert written.to_dict()["stays"] == 1500


def test_every_stay_is_there_once_with_its_law(written: Truth) -> None:
    stays = _table(written, "stays")
    assert stays.num_rows == written.stays
    keys = set(zip(stays["source"].to_pylist(), stays["mdtrt_id"].to_pylist(), strict=True))
    assert len(keys) == written.stays
    good = np.array([regime == "good" for regime in stays["regime"].to_pylist()])
    log_cost = np.log(stays["cost_fen"].to_numpy() / 100)
    error = (log_cost - stays["expected_log_cost"].to_numpy())[good]
    assert 0.25 < error.std() < 0.36
    copies = [
        (source, copy) for source, copy in zip(stays["source"].to_pylist(), stays["copy_of"].to_pylist(), strict=True)
    ]
    assert {source for source, copy in copies if copy} == {"h0108"}
    originals = {f"{source}:{number}" for source, number in keys}
    assert {copy for _, copy in copies if copy} <= originals


def test_sources_and_changes_are_told(written: Truth) -> None:
    hospitals = {row["source"]: row for row in _table(written, "hospitals").to_pylist()}
    assert hospitals["h0101"]["is_good_last"]
    assert not hospitals["h0108"]["is_good_last"]
    assert hospitals["h0108"]["copies"] == "h0101"
    assert (hospitals["h0102"]["is_good_first"], hospitals["h0102"]["is_good_last"]) == (True, False)
    assert hospitals["h0104"]["is_tiny"]
    changes = {(row["source"], row["kind"]): row for row in _table(written, "changes").to_pylist()}
    assert set(changes) == {
        ("h0102", "regime"),
        ("h0107", "regime"),
        ("h0110", "outage"),
        ("h0112", "outage"),
    }
    assert changes["h0102", "regime"]["first_month_no"] == 2
    assert f"{changes['h0102', 'regime']['first_month']:%Y-%m-%d}" == "2025-11-01"
    silent = changes["h0110", "outage"]
    month = f"{silent['first_month']:%Y%m}"
    assert not list((Path(written.deliveries) / "h0110").glob(f"*_{month}.*"))


def test_local_codes_lead_to_the_catalogue(written: Truth) -> None:
    items, catalogue = _table(written, "items"), _table(written, "catalogue")
    assert set(items["national_code"].to_pylist()) <= set(catalogue["code"].to_pylist())
    assert set(items["kind"].to_pylist()) == {"drug", "consumable", "service"}
    keys = list(zip(items["source"].to_pylist(), items["local_code"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_dirt_is_about_half_a_percent_of_all_rows(written: Truth) -> None:
    assert 0.004 < written.dirty_rows / written.rows < 0.006
    assert written.fee_lines > 20 * written.stays
