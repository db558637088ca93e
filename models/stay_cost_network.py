"""Cost of an inpatient stay: a small network for ln(cost), trained in five rounds of example-weighted updates."""

from typing import TYPE_CHECKING

from headwater.content.models import ModelSpec, Training
from headwater.errors import Message
from headwater.statistics.features import Categorical, FeatureMap, Numeric

if TYPE_CHECKING:
    from torch import nn

SPEC = ModelSpec(
    name="stay_cost_network",
    title=Message("住院费用（神经网络）", "Cost of a stay (network)"),
    task="stay_cost",
    learner="network",
    target="log_cost",
    # An update grows with the features alone, not with their square, so there is room for more buckets than in ridge.
    features=FeatureMap(
        numeric=(
            Numeric("age", center=52.0, scale=22.0),
            Numeric("is_male", center=0.5, scale=0.5),
            Numeric("log_days", center=2.0, scale=0.7),
            Numeric("diagnosis_count", center=3.0, scale=2.0),
            Numeric("operation_count", center=0.7, scale=1.0),
            Numeric("is_emergency", center=0.5, scale=0.5),
            Numeric("is_dead", center=0.0, scale=1.0),
            Numeric("is_employee", center=0.5, scale=0.5),
            Numeric("hospital_level", center=2.0, scale=0.8),
        ),
        categorical=(
            Categorical("diagnosis_chapter", buckets=16),
            Categorical("diagnosis_category", buckets=64),
            Categorical("operation_category", buckets=48),
        ),
    ),
    training=Training(rounds=5, epochs=5, batch_size=256, learning_rate=0.01),
)


def build(dim: int) -> "nn.Module":
    """Return an untrained network: ``dim`` features, 16 hidden units, one output."""
    # PyTorch is paid for by whoever trains, not by whoever reads SPEC.
    from torch import nn

    return nn.Sequential(nn.Linear(dim, 16), nn.SiLU(), nn.Linear(16, 1))
