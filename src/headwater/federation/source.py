"""What a source can be asked, and what it must be able to do. Records never leave it; statistics do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import Message, Refusal
from headwater.federation.wire import asks
from headwater.statistics.features import Features, numbers
from headwater.statistics.fixed_point import on_grid
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.statistics.update import Update
from headwater.types import SourceId, Vector

__all__ = [
    "Computed",
    "Description",
    "GramQuestion",
    "Question",
    "Source",
    "Table",
    "TableSource",
    "Trainer",
    "UpdateQuestion",
    "as_table",
]


@asks("gram_question")
@dataclass(frozen=True)
class GramQuestion:
    """Ask for the Gram statistic of a linear model.

    Parameters
    ----------
    feature_map : the model's public recipe
    target : column that is to be predicted
    months : first days of the months to use; None for all
    center, scale : public constants that standardise the target, in its unit; scale > 0
    """

    feature_map: Features
    target: str = "log_cost"
    months: tuple[date, ...] | None = None
    center: float = 0.0
    scale: float = 1.0

    @property
    def family(self) -> Gram:
        """The family that checks and solves the answer."""
        return Gram(self.feature_map.dim)

    @property
    def nbytes(self) -> int:
        """Bytes of the question on its way to a source."""
        constants = 16 if (self.center, self.scale) != (0.0, 1.0) else 0
        return len(self.feature_map.to_json().encode()) + len(self.target) + 4 * len(self.months or ()) + constants

    def of(self, table: pa.Table) -> Statistic:
        """Return the statistic of the records of ``table``."""
        return self.family.statistic(self.feature_map.transform(table), self.labels(table))

    def labels(self, table: pa.Table) -> Vector:
        """Return the (rows,) targets, standardised and on the grid."""
        return on_grid((numbers(table, self.target) - self.center) / self.scale)


@asks("update_question")
@dataclass(frozen=True, eq=False)
class UpdateQuestion:
    """Ask for the parameters of a network after training at home.

    Parameters
    ----------
    model : name of the model in ``models/``
    feature_map, target, months : as in ``GramQuestion``
    parameters : (p,) where training starts, all the network's numbers in one vector
    epochs, learning_rate : how the source trains
    seed : order of the records
    """

    model: str
    feature_map: Features
    parameters: Vector
    target: str = "log_cost"
    months: tuple[date, ...] | None = None
    epochs: int = 1
    learning_rate: float = 0.05
    seed: int = 0

    @property
    def family(self) -> Update:
        """The family that checks and solves the answer."""
        return Update(self.parameters.size)

    @property
    def nbytes(self) -> int:
        """Bytes of the question on its way to a source."""
        return int(self.parameters.nbytes) + len(self.feature_map.to_json().encode())


class Computed(Protocol):
    """A question that carries its own computation: a source hands it the records and learns nothing else of it."""

    @property
    def months(self) -> tuple[date, ...] | None:
        """First days of the months to use; None for all."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of the question on its way to a source."""
        ...

    def of(self, table: pa.Table) -> Statistic:
        """Return the answer over the records of ``table``."""
        ...


Question: TypeAlias = GramQuestion | UpdateQuestion
"""What every source can be asked alike: its statistics are checked by the question's family."""


@dataclass(frozen=True)
class Description:
    """What a source says about itself before it is asked anything."""

    source_id: SourceId
    records: int
    months: tuple[date, ...]


class Source(Protocol):
    """A holder of records that answers questions with statistics."""

    @property
    def source_id(self) -> SourceId:
        """The name of the source."""
        ...

    def describe(self) -> Description:
        """Return what there is."""
        ...

    def answer(self, question: Question | Computed) -> Statistic:
        """Return the statistic that the question asks for, or refuse."""
        ...


class Table(Protocol):
    """Records of any library that speaks Arrow: ``pyarrow.Table``, ``RecordBatch`` and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return them as a stream of Arrow's C interface."""
        ...


Trainer: TypeAlias = Callable[[pa.Table, UpdateQuestion], tuple[Vector, int]]
"""Trains a network on a table: returns its parameters and the number of records used."""


@dataclass(frozen=True, eq=False)
class TableSource:
    """A source whose records are a table in memory.

    Parameters
    ----------
    table : one row per record, with the columns that questions name, and a date column ``month`` where they ask for it;
        what ``as_table`` reads becomes a table
    trainer : answers ``UpdateQuestion``; without one they are refused
    """

    source_id: SourceId
    table: pa.Table
    trainer: Trainer | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", as_table(self.table))

    def describe(self) -> Description:
        """Return the number of records and their months, none without a column ``month``."""
        if "month" not in self.table.column_names:
            return Description(self.source_id, self.table.num_rows, ())
        months = pc.unique(self.table.column("month")).drop_null().to_pylist()
        return Description(self.source_id, self.table.num_rows, tuple(sorted(months)))

    def answer(self, question: Question | Computed) -> Statistic:
        """Compute the statistic over the months asked for; no record there is refused."""
        table = self.table
        if question.months is not None:
            wanted = pa.array(question.months, type=table.column("month").type)
            table = table.filter(pc.is_in(table.column("month"), value_set=wanted))
        if table.num_rows == 0 and question.months is None:
            raise self._refuse("E-SOURCE-EMPTY", "没有记录", "has no records")
        if table.num_rows == 0:
            raise self._refuse("E-SOURCE-EMPTY", "没有所问月份的记录", "has no records in the months asked for")
        if not isinstance(question, UpdateQuestion):
            return question.of(table)
        if self.trainer is None:
            raise self._refuse("E-SOURCE-TRAINER", "不训练网络", "does not train networks")
        parameters, records = self.trainer(table, question)
        return question.family.statistic(parameters, records=records)

    def _refuse(self, code: str, zh: str, en: str) -> Refusal:
        return Refusal(
            code,
            Message(f"来源“{self.source_id}”{zh}。", f"Source {self.source_id} {en}."),
            Message("请改问别的来源或月份。", "Ask another source, or other months."),
        )


def as_table(table: Table | pd.DataFrame) -> pa.Table:
    """Return a data frame as a table, its index left out; a column of mixed kinds, and one of intervals, becomes text.

    pandas writes NaN for what is missing, so NaN in a data frame becomes an empty cell; in a table it stays NaN.
    Tables of other libraries are read where they speak Arrow; anything else is refused with ``E-TABLE-KIND``.
    """
    if isinstance(table, pa.Table):
        return table
    if not isinstance(table, pd.DataFrame):
        return _from_arrow(table)
    arrays = [_as_array(table.iloc[:, place]) for place in range(table.shape[1])]
    # Built from lists: a name that stands twice is kept, and refused where it is used.
    return pa.Table.from_arrays(arrays, names=[str(name) for name in table.columns])


def _from_arrow(table: object) -> pa.Table:
    if isinstance(table, pd.Series | pa.ChunkedArray) or not hasattr(table, "__arrow_c_stream__"):
        raise _no_table(table)
    try:
        return pa.table(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _no_table(table) from error


def _as_array(series: "pd.Series[Any]") -> pa.Array:
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert(None)
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowException, OverflowError):
        return _as_text(series)
    coded = pa.types.is_dictionary(array.type) and isinstance(array.type.value_type, pa.BaseExtensionType)
    return _as_text(series) if coded else array


def _as_text(series: "pd.Series[Any]") -> pa.Array:
    return pa.Array.from_pandas(series.astype(object).map(str, na_action="ignore"), type=pa.string())


def _no_table(given: object) -> Refusal:
    kind = type(given).__name__
    return Refusal(
        "E-TABLE-KIND",
        Message(f"{kind} 不是数据表。", f"A {kind} is no table."),
        Message("请给出 pandas.DataFrame 或 pyarrow.Table。", "Give a pandas.DataFrame or a pyarrow.Table."),
    )
