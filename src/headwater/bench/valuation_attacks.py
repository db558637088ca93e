"""What a hospital may do to look more valuable, each as a function from a federation to one with a liar in it.

The families are those of strategic sources in the literature on data valuation: misreported statistics, another answer
in another coalition (the overvaluation attack of arXiv 2502.00494), copies, mixtures, synthetic records, labels tuned
to the judge, records held back. Every liar is as consistent as it can be: what it makes up has keys, months and blocks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.statistics import Statistic
from headwater.types import SourceId
from headwater.valuation import Target
from headwater.valuation.honesty import Books, Claims, Said
from headwater.valuation.honesty.blocks import places

__all__ = ["ATTACKS", "Attack", "Federation", "KEY"]

KEY = "stay"


@dataclass(frozen=True, eq=False)
class Federation:
    """Sources beside a target.

    Parameters
    ----------
    paid : the stays of each source that the bureau paid, which are its true records
    held : the records that each source makes its answers from
    answers, monthly : statistics that a source gives whatever its records say: of all months, and of some months
    """

    target: Target
    paid: Mapping[SourceId, pa.Table]
    held: Mapping[SourceId, pa.Table]
    answers: Mapping[SourceId, Statistic] = field(default_factory=dict)
    monthly: Mapping[SourceId, tuple[Statistic, ...]] = field(default_factory=dict)

    def says(self, source: SourceId) -> Said:
        """Return what a source says, binds itself to, and is paid for."""
        question, table = self.target.question, self.held[source]
        books = Books(question, table, KEY, secret=source.encode() * 16)
        month = table["month"].to_numpy()
        months = tuple(question.of(table.filter(pa.array(month == one))) for one in np.unique(month))
        return Said(
            self.answers.get(source, books.statement.root.statistic),
            books,
            self.monthly.get(source, months),
            Claims(self.paid[source], KEY),
        )


Attack = Callable[[np.random.Generator, Federation, SourceId, float], Federation]
"""From a federation, its liar and a strength in (0, 1] to the federation with the lie."""


def _holding(federation: Federation, liar: SourceId, table: pa.Table) -> Federation:
    return replace(federation, held={**federation.held, liar: table})


def _rekeyed(rng: np.random.Generator, table: pa.Table) -> pa.Table:
    """Return the records under keys that nobody used."""
    keys = [f"x{number}" for number in rng.integers(0, 2**62, table.num_rows)]
    return table.set_column(table.schema.get_field_index(KEY), KEY, pa.array(keys))


def _part(rng: np.random.Generator, table: pa.Table, count: int) -> pa.Table:
    return table.take(pa.array(rng.choice(table.num_rows, count, replace=count > table.num_rows)))


def _share(table: pa.Table, strength: float) -> int:
    return max(1, int(strength * table.num_rows + 0.5))


def _moved(rng: np.random.Generator, table: pa.Table, scale: float) -> pa.Table:
    """Return the records with noise on every number that is not a month; codes stay as they are."""
    for at, name in enumerate(table.column_names):
        if name != "month" and pa.types.is_floating(table[name].type):
            values = table[name].to_numpy()
            noise = scale * values.std() * rng.normal(size=len(values))
            table = table.set_column(at, name, pa.array(values + noise))
    return table


def _on_line(target: Target, table: pa.Table, touched: npt.NDArray[np.int64]) -> pa.Table:
    """Return the records with the judging sample's own line in place of some labels."""
    question = target.question
    line = question.family.solve(question.of(target.valid), ridge=1.0)
    fitted = question.feature_map.transform(table) @ line * question.scale + question.center
    labels = table[question.target].to_numpy().copy()
    labels[touched] = fitted[touched]
    return table.set_column(table.schema.get_field_index(question.target), question.target, pa.array(labels))


def _repeat(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Count a share of the own records twice, under new keys."""
    own = federation.held[liar]
    more = _rekeyed(rng, _part(rng, own, _share(own, strength)))
    return _holding(federation, liar, pa.concat_tables([own, more]))


def _copy(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Replace a share of the own records by those of the largest other source, which conspires."""
    own = federation.held[liar]
    other = max((name for name in federation.held if name != liar), key=lambda name: federation.held[name].num_rows)
    count = _share(own, strength)
    taken = _rekeyed(rng, _part(rng, federation.held[other], count))
    return _holding(federation, liar, pa.concat_tables([own.slice(count), taken]))


def _noisy_copy(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Give all records of another source, with noise that grows with the strength."""
    other = max((name for name in federation.held if name != liar), key=lambda name: federation.held[name].num_rows)
    return _holding(federation, liar, _moved(rng, _rekeyed(rng, federation.held[other]), 0.2 * strength))


def _mixture(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Add a share of every other source's records to the own."""
    others = [table for name, table in federation.held.items() if name != liar]
    more = [_rekeyed(rng, _part(rng, table, _share(table, strength))) for table in others]
    return _holding(federation, liar, pa.concat_tables([federation.held[liar], *more]))


def _augment(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Add synthetic records around the own, up to four for each."""
    own = federation.held[liar]
    more = _moved(rng, _rekeyed(rng, _part(rng, own, _share(own, 4 * strength))), 0.1)
    return _holding(federation, liar, pa.concat_tables([own, more]))


def _tune(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Put the judging sample's own line in place of a share of the labels: somebody gave it away."""
    own = federation.held[liar]
    touched = rng.permutation(own.num_rows)[: _share(own, strength)]
    return _holding(federation, liar, _on_line(federation.target, own, touched))


def _concentrate(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Tune the labels of whole blocks and leave the others true, so that few openings may meet a lie."""
    own = federation.held[liar]
    touched = np.argsort(places(own, KEY))[: _share(own, strength)]
    return _holding(federation, liar, _on_line(federation.target, own, touched))


def _steal(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Add a share of the target's judging records, which somebody gave away."""
    own, valid = federation.held[liar], federation.target.valid
    taken = _rekeyed(rng, _part(rng, valid, _share(valid, strength)))
    return _holding(federation, liar, pa.concat_tables([own, taken]))


def _withhold(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Leave out up to half of the records: those that fit the judging sample worst."""
    own, question = federation.held[liar], federation.target.question
    line = question.family.solve(question.of(federation.target.valid), ridge=1.0)
    error = np.abs(question.labels(own) - question.feature_map.transform(own) @ line)
    kept = np.sort(np.argsort(error)[: own.num_rows - _share(own, strength / 2)])
    return _holding(federation, liar, own.take(pa.array(kept)))


def _misreport(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Answer with more than it is bound to: its statistic and a share of it again."""
    table = federation.held[liar]
    question = federation.target.question
    more = question.of(_part(rng, table, _share(table, strength)))
    return replace(federation, answers={liar: question.of(table).merge(more)})


def _equivocate(rng: np.random.Generator, federation: Federation, liar: SourceId, strength: float) -> Federation:
    """Say one thing for itself and a worse one where others are valued: here in the sums of single months."""
    question, month = federation.target.question, federation.held[liar]["month"].to_numpy()
    tuned = _tune(rng, federation, liar, strength)
    before = federation.held[liar]
    months = tuple(question.of(before.filter(pa.array(month == one))) for one in np.unique(month))
    return replace(tuned, monthly={liar: months})


ATTACKS: Mapping[str, Attack] = {
    "repeat": _repeat,
    "copy": _copy,
    "noisy_copy": _noisy_copy,
    "mixture": _mixture,
    "augment": _augment,
    "tune": _tune,
    "concentrate": _concentrate,
    "steal": _steal,
    "withhold": _withhold,
    "misreport": _misreport,
    "equivocate": _equivocate,
}
"""Every attack by its name."""
