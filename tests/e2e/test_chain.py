"""The whole job in real Airflow: triggered once, followed from asset to asset by the scheduler, on a small region."""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.adapters import lake, postgres, publication
from headwater.adapters.chain import CHAIN
from headwater.adapters.home import Home
from headwater.adapters.settings import Ports
from headwater.adapters.stack import Stack
from headwater.simulation import simulate
from headwater.steps.demo import run_chain

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.e2e


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def home() -> Iterator[Home]:
    # The database server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-chain-"))
    yield Home(root=root, project=PROJECT).create()
    shutil.rmtree(root)


def test_one_trigger_carries_deliveries_to_an_evolved_model(home: Home):
    simulate(home.deliveries, hospitals=12, months=18, stays=24_000, seed=20260101)
    with Stack(home, Ports(airflow=_free_port(), mlflow=_free_port())) as stack:
        report = run_chain(
            stack, home.deliveries, tell=lambda said: None, watch=lambda progress: None, started=time.monotonic()
        )
        assert list(report.seconds) == list(CHAIN)
        with lake.connect(home) as connection:
            facts = connection.execute(
                "SELECT (SELECT count(*) FROM lake.marts.fct_stay), (SELECT count(*) FROM lake.knowledge.valuation), "
                "(SELECT count(*) FROM lake.knowledge.model_version WHERE step = 'aggregate'), "
                "(SELECT count(DISTINCT month) FROM lake.knowledge.evolution), "
                "(SELECT count(*) FROM lake.quality.result)"
            ).fetchone()
        with postgres.connect(home) as register:
            states = register.execute("select distinct state from ops.batch").fetchall()
        seen = publication.current(home)
    assert seen is not None, "what was checked is published"
    assert seen.published_by.startswith("check_quality ")
    assert facts is not None
    stays, values, versions, months, results = facts
    assert 23_000 < stays <= 24_000
    assert values == 12
    assert versions == 1
    assert months > 6
    assert results == 135
    assert states == [("loaded",)]
    assert (home.reports / "quality" / "latest" / "zh.html").is_file()
