import numpy as np

from headwater.simulation.streams import Part, stream


def test_the_same_place_gives_the_same_numbers() -> None:
    assert stream(3, Part.STAYS, 1, 2).integers(0, 1 << 60, 8).tolist() == (
        stream(3, Part.STAYS, 1, 2).integers(0, 1 << 60, 8).tolist()
    )


def test_every_seed_part_and_place_has_a_stream_of_its_own() -> None:
    first = {
        int(stream(seed, part, hospital, month).integers(0, 1 << 62))
        for seed in (1, 2)
        for part in Part
        for hospital in range(5)
        for month in range(5)
    }
    assert len(first) == 2 * len(Part) * 25


def test_streams_are_not_correlated() -> None:
    draws = np.array([stream(1, Part.COSTS, hospital).standard_normal(4000) for hospital in range(6)])
    off_diagonal = np.corrcoef(draws)[~np.eye(6, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.08
