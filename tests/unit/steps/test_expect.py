"""What is usual is proposed from accepted deliveries, reviewed, written, and tells the next delivery that is not."""

from datetime import UTC, datetime

import pytest

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.errors import Refusal
from headwater.simulation import simulate
from headwater.steps.check import check
from headwater.steps.expect import propose
from headwater.steps.land import land

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_without_history_nothing_is_proposed(home: Home) -> None:
    with pytest.raises(Refusal) as refused:
        propose(home)
    assert refused.value.code == "E-NO-PROFILE"


def test_a_spoilt_month_is_told_on_its_source_and_kept_out_of_history(home: Home) -> None:
    simulate(home.deliveries, hospitals=1, months=8, stays=800)
    last = sorted((home.deliveries / "h0101").glob("*_202512.csv"))
    held = {file: file.read_text(encoding="utf-8-sig") for file in last}
    for file in last:
        file.unlink()
    land(home, deliveries=home.deliveries, now=NOW)
    assert check(home, stages=("raw",), now=NOW).deviations == ()

    shown = propose(home)
    assert not shown.is_written
    assert not home.profiles.exists()
    assert shown.difference.count("\n+") > 300
    assert len(shown.changes) == sum(len(suite.rules) for suite in shown.suites) > 300
    assert propose(home, accept=True).is_written
    assert propose(home).changes == ()
    usual = check(home, stages=("raw",), now=NOW)
    assert usual.deviations == ()
    assert sum(suite.rows for suite in usual.suites if suite.name.startswith("profile__")) > 1000

    for file, content in held.items():
        lines = content.splitlines()
        # Every second row is lost.
        file.write_text("\n".join([lines[0], *lines[1::2]]) + "\n", encoding="utf-8")
    land(home, deliveries=home.deliveries, now=NOW)
    found = check(home, stages=("raw",), now=NOW)
    assert not found.success
    assert {deviation.source_id for deviation in found.deviations} == {"h0101"}
    assert {f"{deviation.period:%Y-%m}" for deviation in found.deviations} == {"2025-12"}
    assert "fee_gap" in {deviation.metric for deviation in found.deviations}
    (failed,) = [o for o in found.failures if o.suite == "profile__front_page" and o.severity == "error"]
    assert [(share.source_id, share.success) for share in failed.by_source] == [("h0101", False)]
    with lake.connect(home) as connection:
        kept = connection.execute(
            "SELECT period::VARCHAR, accepted FROM lake.quality.delivery WHERE entity = 'front_page' ORDER BY 1"
        ).fetchall()
    assert [month for month, accepted in kept if not accepted] == ["2025-12-01"]
    assert len(kept) == 8
