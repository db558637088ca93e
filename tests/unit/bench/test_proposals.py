"""The measurement tells right columns from wrong ones."""

from pathlib import Path

import pytest

from headwater.bench import proposals
from headwater.bench.proposals import score_hospital
from headwater.simulation import simulate
from headwater.simulation.hospitals import Region, roster


def test_a_wrong_draft_loses_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    simulate(tmp_path / "d", hospitals=1, months=1, stays=40, seed=7)
    hospital = roster(Region(hospitals=1, months=1, stays=40, seed=7))[0]
    right = score_hospital(hospital, tmp_path / "d" / hospital.source)
    assert right.share == 1.0
    draft = proposals.draft
    monkeypatch.setattr(
        proposals,
        "draft",
        lambda *given: (
            draft(*given).replace("dscg_dept_name: 出院科室", "dscg_dept_name: 入院科室").replace("女:", "妇:")
        ),
    )
    wrong = score_hospital(hospital, tmp_path / "d" / hospital.source)
    assert right.right - wrong.right == 3
    assert wrong.kinds == {"field": 2, "value map": 1}
