"""What every way of valuing is held against: a model retrained on every coalition of a region's sampled sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import stats

from headwater.adapters.features import Region
from headwater.adapters.learners import Learner
from headwater.content.models import ModelSpec
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import GramQuestion, InProcess, TableSource, ask
from headwater.statistics.features import numbers
from headwater.types import Masks, SourceId, Vector
from headwater.valuation import Target
from headwater.valuation.methods.exact import all_coalitions, shapley_of_table
from headwater.valuation.target import Learner as Kind
from headwater.valuation.utilities.retraining import ridge
from headwater.valuation.utilities.statistics import usable
from headwater.valuation.utility import r2

__all__ = ["SOURCES", "Reference", "Sample", "agreement", "reference", "sampled"]

SOURCES = 10
"""Most sources of a sample: all their coalitions are trained, 1,024."""

_CHUNK = 32
_FEWEST_OWN, _FEWEST_RECORDS, _FEWEST_JUDGES = 30, 20, 40
_MOST_JUDGES = 1_200


@dataclass(frozen=True, eq=False)
class Sample:
    """Some sources of a region with some of their records, and the bureau's own beside them.

    Parameters
    ----------
    targets : two, of the same training records, each with one half of the judging records
    tables : records of each source, in the proportions of the region
    refused : why each of the sources that cannot be valued is left out
    """

    targets: tuple[Target, Target]
    tables: Mapping[SourceId, pa.Table]
    refused: Mapping[SourceId, HeadwaterError]

    @property
    def federation(self) -> InProcess:
        """The sources, in this process."""
        return InProcess(self.sources)

    @property
    def sources(self) -> tuple[TableSource, ...]:
        """The sources, without trainer."""
        return tuple(TableSource(source, table) for source, table in self.tables.items())

    @property
    def records(self) -> int:
        """Records of all sources together."""
        return sum(int(table.num_rows) for table in self.tables.values())


@dataclass(frozen=True, eq=False)
class Reference:
    """The game of retrained models, as each half of the judging records sees it.

    Parameters
    ----------
    labels : (records,) of each half
    predicted : (2**sources, records) of each half, coalition k holding source i at bit i
    tables : (2, 2**sources) gain in R² over the target alone
    values : (2, sources) exact Shapley values
    """

    labels: tuple[Vector, Vector]
    predicted: tuple[Vector, Vector]
    tables: Vector
    values: Vector

    @property
    def ceiling(self) -> float:
        """Rank correlation of the two halves' values: more agreement than that with one half means nothing."""
        return agreement(self.values[0], self.values[1])


def sampled(region: Region, spec: ModelSpec, *, records: int, rng: np.random.Generator) -> Sample:
    """Draw sources and records from a region.

    Parameters
    ----------
    records : of all sources together, about; each keeps its share, and so does the bureau's training sample

    Raises
    ------
    Refusal
        ``E-FRONTIER-SOURCES`` below two sources, ``E-FRONTIER-JUDGES`` with too few judging records for two halves
    """
    question = GramQuestion(spec.features, target=spec.target)
    said, refused = usable(ask(InProcess(region.sources), question), question)
    everyone = [source for source in region.sources if source.source_id in said]
    if len(everyone) < 2:
        raise _few_sources(region.name, len(everyone))
    places = np.sort(rng.choice(len(everyone), min(SOURCES, len(everyone)), replace=False))
    chosen = [everyone[place] for place in places]
    share = min(1.0, records / sum(int(source.table.num_rows) for source in chosen))
    tables = {source.source_id: _part(source.table, share, _FEWEST_RECORDS, rng) for source in chosen}
    train = _part(region.target.train, share, _FEWEST_OWN, rng)
    judges = rng.permutation(region.target.valid.num_rows)[:_MOST_JUDGES]
    if len(judges) < _FEWEST_JUDGES:
        raise _few_judges(region.name, len(judges))
    learner: Kind = "linear" if spec.learner == "gram" else "network"
    halves = [region.target.valid.take(pa.array(np.sort(half))) for half in np.array_split(judges, 2)]
    first, second = (
        Target(train, half, spec.target, spec.features, learner=learner, ridge=spec.ridge) for half in halves
    )
    return Sample((first, second), tables, refused)


def reference(sample: Sample, learner: Learner, *, advance: Callable[[int], None]) -> Reference:
    """Retrain the model on every coalition, and value the sources by each half of the judging records.

    Parameters
    ----------
    advance : told how many coalitions were trained since it was last told
    """
    predict, coalitions = _trainer(sample, learner), all_coalitions(len(sample.tables))
    first, second = (numbers(target.valid, target.label) for target in sample.targets)
    told = []
    for start in range(0, len(coalitions), _CHUNK):
        told.append(predict(coalitions[start : start + _CHUNK]))
        advance(len(told[-1]))
    one, other = np.split(np.concatenate(told), [len(first)], axis=1)
    tables = np.stack([r2(first, one), r2(second, other)])
    tables -= tables[:, :1]
    values = np.stack([shapley_of_table(table) for table in tables])
    return Reference((first, second), (one, other), tables, values)


def agreement(values: Vector, truth: Vector) -> float:
    """Return Spearman's correlation; values that say nothing, all equal or not finite, agree by 0."""
    if not np.isfinite(values).all() or np.ptp(values) == 0 or np.ptp(truth) == 0:
        return 0.0
    return float(stats.spearmanr(values, truth).statistic)


def _part(table: pa.Table, share: float, fewest: int, rng: np.random.Generator) -> pa.Table:
    count = min(table.num_rows, max(fewest, round(share * table.num_rows)))
    return table.take(pa.array(np.sort(rng.choice(table.num_rows, count, replace=False))))


def _trainer(sample: Sample, learner: Learner) -> Callable[[Masks], Vector]:
    """Return what trains on (m, sources) coalitions and predicts (m, judging records) labels."""
    target = sample.targets[0]
    held = pa.concat_tables([part.valid for part in sample.targets])
    everyone = [target.train, *sample.tables.values()]
    if learner.is_exact:
        fit = ridge(target, target.features)

        def solved(coalitions: Masks) -> Vector:
            joined = (pa.concat_tables([everyone[0], *_members(everyone[1:], mask)]) for mask in coalitions)
            return np.stack([fit(table)(held) for table in joined])

        return solved
    # PyTorch takes a second to import; a ridge does not wait for it.
    from headwater.adapters.network import Network
    from headwater.adapters.retrained import retrained

    assert isinstance(learner, Network)
    owner = np.repeat(np.arange(len(everyone)), [table.num_rows for table in everyone])
    x = np.concatenate([target.features.transform(table) for table in everyone])
    question = target.question
    y = np.concatenate([question.labels(table) for table in everyone])
    judged = target.features.transform(held)

    def trained(coalitions: Masks) -> Vector:
        inside = np.concatenate([np.ones((len(coalitions), 1), dtype=np.bool_), coalitions], axis=1)
        told = retrained(learner, x, y, inside[:, owner].astype(np.float64), judged)
        return told * question.scale + question.center

    return trained


def _members(tables: list[pa.Table], mask: Masks) -> list[pa.Table]:
    return [table for table, inside in zip(tables, mask, strict=True) if inside]


def _few_sources(region: str, sources: int) -> Refusal:
    return Refusal(
        "E-FRONTIER-SOURCES",
        Message(f"“{region}”只有 {sources} 个来源。", f"{region} has {sources} sources of at least 2."),
        Message("请降低 min_stays，或接入更多医院。", "Lower min_stays, or land more hospitals."),
    )


def _few_judges(region: str, records: int) -> Refusal:
    return Refusal(
        "E-FRONTIER-JUDGES",
        Message(
            f"“{region}”只有 {records} 条评判记录，分不成两半。",
            f"{region} has {records} judging records, too few for two halves.",
        ),
        Message(f"至少需要 {_FEWEST_JUDGES} 条。", f"At least {_FEWEST_JUDGES} are needed."),
    )
