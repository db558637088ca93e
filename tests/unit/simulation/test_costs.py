import numpy as np
import pytest

from headwater.simulation.costs import NOISE_VARIANCE, REGION_LAW, costs, expected
from headwater.simulation.fee_lines import bill, pay
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.reference import diseases
from headwater.simulation.stays import blocks, copied_block, draw

REGION = Region(stays=30_000, months=12)


class Sample:
    """All stays of the region with their costs, by regime and level."""

    def __init__(self) -> None:
        parts: dict[str, list[np.ndarray]] = {}
        for hospital in roster(REGION):
            for month in range(REGION.months):
                for place in blocks(REGION, hospital, month):
                    stays = draw(place)
                    target = costs(place, stays)
                    total = pay(place, stays, bill(place, stays, target)).total / 100
                    regime = "copied" if hospital.copies else hospital.regime(month)
                    rows = {
                        "log_cost": np.log(total),
                        "log_target": np.log(target),
                        "expected": expected(place, stays),
                        "regime": np.full(len(stays), regime),
                        "level": np.full(len(stays), hospital.level),
                        "days": stays.days,
                        "age": stays.age,
                        "diagnoses": 1 + (stays.others >= 0).sum(axis=1),
                        "operations": (stays.operations >= 0).sum(axis=1),
                        "category": np.array([code[:3] for code in diseases().code])[stays.recorded],
                    }
                    for name, values in rows.items():
                        parts.setdefault(name, []).append(values)
        self.columns = {name: np.concatenate(values) for name, values in parts.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def features(self) -> np.ndarray:
        _, category = np.unique(self["category"], return_inverse=True)
        plain = [self["age"], np.log1p(self["days"]), self["level"], self["diagnoses"], self["operations"]]
        return np.column_stack([*plain, np.eye(category.max() + 1)[category]])


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample()


def _r2(truth: np.ndarray, guess: np.ndarray) -> float:
    return float(1 - np.mean((truth - guess) ** 2) / np.var(truth))


def _linear_r2(features: np.ndarray, truth: np.ndarray) -> float:
    half = np.arange(len(truth)) % 2 == 0
    gram = features[half].T @ features[half] + 1e-3 * np.eye(features.shape[1])
    return _r2(truth[~half], features[~half] @ np.linalg.solve(gram, features[half].T @ truth[half]))


def test_an_oracle_explains_what_is_not_noise(sample: Sample) -> None:
    good = sample["regime"] == "good"
    assert 0.85 <= _r2(sample["log_cost"][good], sample["expected"][good]) <= 0.90


def test_a_linear_model_on_delivered_features_comes_close(sample: Sample) -> None:
    good = sample["regime"] == "good"
    assert 0.75 <= _linear_r2(sample.features()[good], sample["log_cost"][good]) <= 0.86


def test_moments_lie_near_the_published_ones(sample: Sample) -> None:
    good = sample["regime"] == "good"
    cost, days = np.exp(sample["log_cost"][good]), sample["days"][good]
    assert 9_500 < cost.mean() < 12_500
    assert 1_000 < cost.sum() / days.sum() < 1_400
    assert 8 < days.mean() < 10.5
    assert np.mean(cost) > 1.3 * np.median(cost)
    means = [np.exp(sample["log_cost"][good & (sample["level"] == level)]).mean() for level in (1, 3)]
    assert means[1] > 2 * means[0]


def test_noise_has_the_stated_size_and_is_skewed_to_the_right(sample: Sample) -> None:
    good = sample["regime"] == "good"
    noise = (sample["log_target"] - sample["expected"])[good]
    assert abs(noise.mean()) < 0.01
    assert abs(noise.var() - NOISE_VARIANCE) < 0.004
    assert ((noise - noise.mean()) ** 3).mean() > 0


@pytest.mark.parametrize(("regime", "most"), [("noisy", 0.40), ("irrelevant", 0.05)])
def test_bad_sources_explain_little_of_their_own_costs(sample: Sample, regime: str, most: float) -> None:
    bad = sample["regime"] == regime
    assert _r2(sample["log_cost"][bad], sample["expected"][bad]) < most


def test_a_biased_source_follows_another_law_closely(sample: Sample) -> None:
    biased = sample["regime"] == "biased"
    assert _r2(sample["log_cost"][biased], sample["expected"][biased]) < 0.3
    assert _linear_r2(sample.features()[biased], sample["log_cost"][biased]) > 0.6


def test_more_noise_leaves_the_mean_of_costs(sample: Sample) -> None:
    noisy = sample["regime"] == "noisy"
    ratio = np.exp(sample["log_target"][noisy]).mean() / np.exp(sample["expected"][noisy] + NOISE_VARIANCE / 2).mean()
    assert 0.7 < ratio < 1.5


def test_the_law_adds_up_by_hand() -> None:
    place = blocks(REGION, roster(REGION)[0], 3)[0]
    stays = draw(place)
    alone = np.flatnonzero((stays.operations < 0).all(axis=1) & ~stays.emergency & (stays.way != 5) & ~stays.employee)
    n = alone[0]
    by_hand = (
        REGION_LAW.intercept
        + REGION_LAW.levels[2]
        + REGION_LAW.disease * diseases().effect[stays.disease[n]]
        + 0.17 * stays.severity[n]
        + 0.003 * (stays.age[n] - 50)
        + 0.75 * np.log((1 + stays.days[n]) / 10)
    )
    assert expected(place, stays)[n] == pytest.approx(by_hand, abs=1e-12)


def test_copied_stays_cost_nearly_what_they_cost_there() -> None:
    copying = next(hospital for hospital in roster(REGION) if hospital.copies is not None)
    place = blocks(REGION, copying, 2)[0]
    stays, original = draw(place), copied_block(place)
    assert original is not None
    theirs = costs(original, draw(original))[stays.original]
    ratio = costs(place, stays) / theirs
    assert 0.005 < np.log(ratio).std() < 0.02
    assert np.array_equal(expected(place, stays), expected(original, draw(original))[stays.original])
