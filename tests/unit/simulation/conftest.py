"""One simulated region for all tests that only read it."""

from pathlib import Path

import pytest

from headwater.simulation import Truth, simulate


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Twelve hospitals, four months, every format."""
    folder: Path = tmp_path_factory.mktemp("region")
    return simulate(folder / "deliveries", hospitals=12, months=4, stays=1500, seed=7)
