import numpy as np
import pyarrow as pa

from headwater.bench.coding_corruptions import CORRUPTIONS
from headwater.bench.coding_region import Judged, judge, reliability
from headwater.checks.coding import region_reference
from headwater.claims.coding import Matcher

ROW = {
    "name": "阿莫西林胶囊 0.25g*24粒/盒",
    "spec": "0.25g*24粒/盒",
    "dosform_name": "胶囊",
    "material": "",
    "prodentp_name": "霁和药业",
    "aprvno": "楚药准字H20000001",
    "regno": "",
}


def test_every_corruption_keeps_the_fields_and_changes_some_row():
    rng = np.random.default_rng(0)
    rows = [ROW, {**ROW, "name": "阿莫西林胶囊", "material": "x"}, {**ROW, "name": "CT平扫(头颅μ)", "spec": ""}]
    for name in CORRUPTIONS:
        changed = [CORRUPTIONS[name](row, rng) for row in rows for _ in range(5)]
        assert all(row.keys() == ROW.keys() for row in changed), name
        assert any(row not in rows for row in changed), name


def test_a_judge_counts():
    answers = pa.table(
        {"code": ["a", "b", None], "confidence": [0.99, 0.97, 0.0], "decision": ["auto", "auto", "none"]}
    )
    judged = judge(answers, ["a", "a", "a"])
    assert judged.shares() == {"n": 3, "top1": 1 / 3, "automatic": 2 / 3, "wrong_automatic": 1 / 3}
    assert [row["right"] for row in reliability(judged)] == [0.0, 0.0, 1.0]
    assert isinstance(judged.where(np.array([True, False, False])), Judged)


def test_misspelled_items_are_found():
    reference = region_reference("consumable")
    matcher = Matcher.fit(reference, kind="consumable")
    rng = np.random.default_rng(1)
    rows = [{**ROW, **row, "aprvno": ""} for row in reference.drop_columns(["code"]).to_pylist()]
    judged = judge(
        matcher.match(pa.Table.from_pylist([CORRUPTIONS["swapped"](row, rng) for row in rows])),
        reference["code"].to_pylist(),
    )
    assert judged.shares()["top1"] >= 0.95
    assert judged.shares()["wrong_automatic"] == 0
