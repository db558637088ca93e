"""From delivered text to typed columns: every distinct text of a column is read once, then spread over its rows.

A column of a million prices holds a few thousand texts, so reading costs what they cost; a column whose texts hardly
repeat is read row by row. Cost grows linearly with the rows, and the work on rows is a lookup.
"""

import re
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.canonical import Field
from headwater.claims.cleaning import numeral
from headwater.claims.compiling import PERSONAL, reader_sql
from headwater.claims.contract import ColumnRule
from headwater.claims.ordinary import ordinary
from headwater.claims.pseudonyms import DAMAGED, Pseudonyms, identity, normal

__all__ = ["Reader", "Reading", "Texts"]

_FEW = 100
_OTHER_DOCUMENT = re.compile(r"[A-Z]{1,3}[0-9]{6,12}")
_NUMERAL = re.compile("[〇零一二三四五六七八九十百壹贰貳叁參肆伍陆陸柒捌玖拾佰仟]")


@dataclass(frozen=True)
class Texts:
    """One delivered column: its texts, each once, and which of them stands in each row; None if row by row."""

    words: pa.StringArray
    places: npt.NDArray[np.int32] | None

    @classmethod
    def of(cls, column: pa.ChunkedArray, *, coded: bool | None = None) -> "Texts":
        """Take a column of strings; an absent cell is an empty one.

        Parameters
        ----------
        coded : whether to look for the distinct texts; None to see whether they repeat enough for that to pay
        """
        text = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if text.null_count:
            text = text.fill_null("")
        if coded is False:
            return cls(text, None)
        both = text.dictionary_encode()
        if coded is None and len(text) > _FEW and len(both.dictionary) > len(text) // 2:
            return cls(text, None)
        return cls(both.dictionary, both.indices.to_numpy())

    def where(self, mask: npt.NDArray[np.bool_]) -> "Texts":
        """Return the column with an empty text in the rows outside ``mask``."""
        places = np.arange(len(self.words), dtype=np.int32) if self.places is None else self.places
        words = pa.concat_arrays([self.words, pa.array([""], pa.string())])
        return Texts(words, np.where(mask, places, len(self.words)).astype(np.int32))


@dataclass(frozen=True)
class Reading:
    """What the texts of one column mean for one field; every array stands over the distinct texts.

    Parameters
    ----------
    text : folded and trimmed, NULL where it means "empty"; all NULL for persons, whose text is never kept
    value : typed, NULL where it cannot be read
    filled : whether there is a text at all
    code : name of the fault, or NULL
    rules : names of the cleaning rules that changed a text without fault, or NULL
    delivered, clean : the text before and after them, NULL where no rule changed it and for persons
    places : which text stands in each row, or None if row by row
    """

    text: pa.Array
    value: pa.Array
    filled: npt.NDArray[np.bool_]
    code: pa.Array
    rules: pa.Array
    delivered: pa.Array
    clean: pa.Array
    places: npt.NDArray[np.int32] | None
    birth: pa.Array | None = None
    sex: pa.Array | None = None

    def spread(self, column: pa.Array) -> pa.Array:
        """Return one of the arrays over the rows; strings stay coded by their distinct values."""
        if self.places is None:
            return column
        if not pa.types.is_string(column.type):
            return column.take(pa.array(self.places))
        absent = pc.is_null(column).to_numpy(zero_copy_only=False)
        mask = absent[self.places] if absent.any() else None
        return pa.DictionaryArray.from_arrays(pa.array(self.places, mask=mask), column.fill_null(""))

    def rows_with(self, column: pa.Array) -> npt.NDArray[np.int64]:
        """Return the rows for whose text ``column`` is not NULL."""
        if column.null_count == len(column):
            return np.empty(0, dtype=np.int64)
        present = pc.is_valid(column).to_numpy(zero_copy_only=False)
        return np.flatnonzero(present if self.places is None else present[self.places])

    def at(self, column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Return one of the arrays at some rows."""
        return column.take(pa.array(rows if self.places is None else self.places[rows]))


class Reader:
    """Reads columns by the rules of one contract.

    Parameters
    ----------
    connection : DuckDB with the macros of :func:`headwater.claims.compiling.macros`
    pseudonyms : what replaces identifiers of persons
    delivered_on : ISO date; later dates are faults
    nulls : further words that mean "empty"
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        pseudonyms: Pseudonyms,
        delivered_on: str,
        nulls: tuple[str, ...],
    ) -> None:
        self._sql = connection
        self._pseudonyms = pseudonyms
        self._delivered_on = delivered_on
        self._nulls = nulls

    def read(self, field: Field, rule: ColumnRule, texts: Texts) -> Reading:
        """Read one column for one field."""
        if field.type in PERSONAL:
            return self._persons(field, texts)
        mask, values = ordinary(field, rule, texts.words, nulls=self._nulls, delivered_on=self._delivered_on)
        if mask.all():
            return _as_they_stand(field, texts, values)
        return self._merged(field, rule, texts, mask, values)

    def _merged(
        self, field: Field, rule: ColumnRule, texts: Texts, mask: npt.NDArray[np.bool_], values: pa.Array
    ) -> Reading:
        """Have SQL read the texts outside of ``mask`` and put each back in its place."""
        rest = self._by_sql(field, rule, texts.words if not mask.any() else texts.words.filter(pa.array(~mask)))
        if not mask.any():
            return Reading(filled=rest.pop("filled").to_numpy(zero_copy_only=False), places=texts.places, **rest)
        read = _as_they_stand(field, texts, values)
        # Where a text was left over, its place among the left over comes after all places of the column.
        place = np.where(mask, np.arange(len(mask)), len(mask) + np.cumsum(~mask) - 1)
        filled = read.filled.copy()
        filled[~mask] = rest.pop("filled").to_numpy(zero_copy_only=False)
        names = ("text", "value", "code", "rules", "delivered", "clean")
        columns = {name: pa.concat_arrays([getattr(read, name), rest[name]]).take(pa.array(place)) for name in names}
        return Reading(filled=filled, places=texts.places, **columns)

    def _by_sql(self, field: Field, rule: ColumnRule, left: pa.StringArray) -> dict[str, pa.Array]:
        words: dict[str, pa.Array] = {
            "place": pa.array(np.arange(len(left), dtype=np.int32)),
            "delivered": left,
            "numeral": _numerals(left) if field.type in ("money", "price") else _nothing(len(left)),
        }
        self._sql.register("words", pa.table(words))
        query = reader_sql(field, rule, nulls=self._nulls, delivered_on=self._delivered_on)
        found = self._sql.execute(query).to_arrow_table()
        self._sql.unregister("words")
        place = found.column("place").to_numpy()
        if (np.diff(place) < 0).any():
            # Threads may have given the texts out of order.
            found = found.take(pa.array(np.argsort(place)))
        names = ("text", "value", "filled", "code", "rules", "delivered", "clean")
        return {name: found.column(name).combine_chunks() for name in names}

    def _persons(self, field: Field, texts: Texts) -> Reading:
        read = [self._person(field, word) for word in texts.words.to_pylist()]
        values = pa.array([person.token for person in read], pa.string())
        is_identity = field.type == "identity"
        return Reading(
            text=_nothing(len(read)),
            value=values,
            filled=pc.is_valid(values).to_numpy(zero_copy_only=False),
            code=pa.array([person.code for person in read], pa.string()),
            rules=pa.array([person.rule for person in read], pa.string()),
            delivered=_nothing(len(read)),
            clean=_nothing(len(read)),
            places=texts.places,
            birth=pa.array([person.birth for person in read], pa.date32()) if is_identity else None,
            sex=pa.array([person.sex for person in read], pa.string()) if is_identity else None,
        )

    def _person(self, field: Field, word: str) -> "_Person":
        token = self._pseudonyms.word(word, nulls=self._nulls)
        if token is None:
            return _Person(None, "E-REQUIRED" if field.required else None)
        if token == DAMAGED:
            return _Person(token, "E-CODE-SCIENTIFIC")
        if field.type == "person":
            return _Person(token)
        holder = identity(normal(word))
        if holder is None:
            # A passport or a travel permit has no check character and says nothing of its holder.
            return _Person(token) if _OTHER_DOCUMENT.fullmatch(normal(word)) else _Person(token, "E-IDENTITY")
        rule = "C-IDENTITY-18" if holder.was_short else None
        return _Person(self._pseudonyms.token(holder.number), None, rule, holder.birth, holder.sex)


@dataclass(frozen=True)
class _Person:
    token: str | None
    code: str | None = None
    rule: str | None = None
    birth: date | None = None
    sex: str | None = None


def _as_they_stand(field: Field, texts: Texts, values: pa.Array) -> Reading:
    """Return the reading of texts that need no cleaning; an empty one is a fault where the field is required."""
    words, length = texts.words, len(texts.words)
    empty = pc.equal(words, "")
    some = pc.any(empty).as_py()
    missing = pa.scalar("E-REQUIRED" if field.required else None, pa.string())
    nothing = pa.scalar(None, pa.string())
    return Reading(
        text=pc.if_else(empty, nothing, words) if some else words,
        value=values,
        filled=pc.invert(empty).to_numpy(zero_copy_only=False),
        code=pc.if_else(empty, missing, nothing) if some else _nothing(length),
        rules=_nothing(length),
        delivered=_nothing(length),
        clean=_nothing(length),
        places=texts.places,
    )


def _nothing(length: int) -> pa.Array:
    return pa.nulls(length, pa.string())


def _numerals(words: pa.StringArray) -> pa.Array:
    """Return the amounts among the texts that are written in Chinese numerals, NULL elsewhere."""
    suspects = pc.match_substring_regex(words, _NUMERAL.pattern)
    if not pc.any(suspects).as_py():
        return _nothing(len(words))
    return pa.array(
        [
            numeral(word) if suspect else None
            for word, suspect in zip(words.to_pylist(), suspects.to_pylist(), strict=True)
        ],
        pa.string(),
    )
