"""Cost of an inpatient stay: ridge regression of ln(cost), solved from one Gram statistic a source."""

from headwater.content.models import ModelSpec
from headwater.errors import Message
from headwater.statistics.features import Categorical, FeatureMap, Numeric
from headwater.statistics.gram import Gram

SPEC = ModelSpec(
    name="stay_cost_ridge",
    title=Message("住院费用（岭回归）", "Cost of a stay (ridge)"),
    task="stay_cost",
    learner="gram",
    target="log_cost",
    # 68 features make a Gram statistic of 19.3 kB; the hash buckets share what is left beside the numbers.
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
            Categorical("diagnosis_category", buckets=24),
            Categorical("operation_category", buckets=18),
        ),
    ),
    ridge=2.0,
)


def build(dim: int) -> Gram:
    """Return the statistic that one answer of a source consists of."""
    return Gram(dim)
