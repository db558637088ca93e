"""The one matcher of all kinds: a local name becomes a code with a calibrated confidence, or honestly does not."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.coding import deciding, fitting, storing
from headwater.claims.coding.blocking import Block, Candidates, Floats
from headwater.claims.coding.comparing import compare
from headwater.claims.coding.distinctions import Distinctions
from headwater.claims.coding.kinds import KINDS, Kind, Parsed
from headwater.claims.coding.learning import Model
from headwater.claims.coding.reading import Rows, read
from headwater.claims.coding.reference import Reference, gathered, parsed, rows_of
from headwater.claims.coding.scoring import Ranked, answered, ranked
from headwater.claims.coding.wording import Wording

__all__ = ["Matcher", "parse"]

_CANDIDATES = 16
_CHUNK = 20_000


def parse(table: pa.Table, kind: str) -> pa.Table:
    """Return what names and columns say, an attribute a column, a row for each row of the table.

    Parameters
    ----------
    table : ``name`` and the attribute columns of the kind, all but the name optional
    kind : drug, consumable, service, diagnosis or operation

    Returns
    -------
    Text columns, null where unknown: ``text`` (the name without the rest) and the kind's attributes. Where there is a
    ``strength``, also ``mg``, ``ml``, ``iu``, ``pct`` (amounts of one piece, double; null where there is none or are
    several) and ``pieces`` in a pack (double).
    """
    known = KINDS[kind]
    rows = read(table, known.fields)
    return storing.attributes(parsed(rows.fields, known), rows.place)


@dataclass(frozen=True, eq=False)
class Matcher:
    """A fitted matcher; see ``fit``.

    Examples
    --------
    >>> reference = pa.table({"code": ["1", "2"], "name": ["阿莫西林胶囊", "阿奇霉素片"]})
    >>> matcher = Matcher.fit(reference, kind="drug")
    >>> found = matcher.match(pa.table({"name": ["★阿莫西林膠囊劑"]}))
    >>> found["code"].to_pylist(), found["decision"].to_pylist()
    (['1'], ['auto'])
    """

    kind: Kind
    reference: Reference
    model: Model
    block: Block = field(repr=False)
    distinctions: Distinctions = field(repr=False)
    wording: Wording | None = field(default=None, repr=False)

    @classmethod
    def fit(cls, reference: pa.Table, labelled: pa.Table | None = None, *, kind: str, seed: int = 0) -> "Matcher":
        """Learn from a reference, spelled as hospitals might, and from names whose codes are known.

        Parameters
        ----------
        reference : ``code``, ``name`` and any attribute columns of the kind; a code may have several names
        labelled : ``name``, ``code`` and any attribute columns; pairs whose code is not in the reference are left out.
            ``source_id`` or ``fixmedins_code`` tells which hospital writes so: names in Latin words are learned from
            some hospitals as asked of others, and without it none of their codes is ever ``auto``
        kind : drug, consumable, service, diagnosis or operation
        seed : of the spellings

        Raises
        ------
        Refusal
            for an unknown kind, an empty reference, missing columns, empty codes or names
        """
        known = KINDS[kind]
        codes, fields = rows_of(reference, known)
        said = parsed(fields, known)
        if (wording := fitting.worded(known, labelled, codes, fields["name"], seed)) is not None:
            return cls.over(known, gathered(known, codes, fields["name"], said)[0], wording=wording)
        taught = fitting.taught(known, labelled, codes, said)
        gathered_, row = gathered(known, [*codes, *taught.codes], [*fields["name"], *taught.names], taught.joined(said))
        matcher = cls.over(known, gathered_)
        lessons = fitting.lessons(known, codes, fields, taught, row, np.random.default_rng(seed))
        return replace(matcher, model=fitting.fitted(matcher, lessons, seed))

    @classmethod
    def over(
        cls, kind: Kind, reference: Reference, model: Model | None = None, wording: Wording | None = None
    ) -> "Matcher":
        """Return a matcher over gathered entries; without a model, with what is believed beforehand."""
        entries = reference.entries
        weights = {attribute.name: attribute.weight for attribute in kind.attributes if attribute.weight}
        block = Block.built(entries.text, entries.values, weights, kind.grams)
        # Where other attributes vouch for a name of other letters, and among Latin words, letters alone tell nothing.
        told = Distinctions.none() if kind.vouching or wording is not None else Distinctions.among(reference)
        return cls(kind, reference, model or fitting.unlearned(kind), block, told, wording)

    def match(self, table: pa.Table) -> pa.Table:
        """Return ``code, confidence, decision, reason, alternatives``, a row for each row of the table.

        Parameters
        ----------
        table : ``name`` and any attribute columns of the kind; other columns are ignored

        Returns
        -------
        code : text, null where the decision is none
        confidence : double, how often a code of such a confidence is right; 0 where there is none
        decision : auto, review or none
        reason : a word of ``REASONS``
        alternatives : list of code, name, confidence; best first, at most five, the best among them

        Raises
        ------
        Refusal
            when there is no text column ``name``
        """
        rows = read(table, self.kind.fields)
        parts = [self._part(rows, start) for start in range(0, max(len(rows), 1), _CHUNK)]
        return pa.concat_tables(parts).combine_chunks().take(pa.array(rows.place))

    def _part(self, rows: Rows, start: int) -> pa.Table:
        fields = {name: texts[start : start + _CHUNK] for name, texts in rows.fields.items()}
        names = parsed(fields, self.kind)
        unfit = deciding.unfit(fields["name"], names.text, self._scripts, self._letters)
        found = answered(self.reference, self.wording, fields["name"]) if self.wording else self.rank(names)
        least = deciding.AUTO if self.wording is None else self.wording.least
        return deciding.table(self.reference, self.model, found, names.torn, unfit, least)

    def rank(self, names: Parsed) -> Ranked:
        """Return the best codes of each name."""
        pairs, features, barred = self.pairs(names)
        count = len(names.text)
        return ranked(self.reference, pairs, self.model.chances(features, pairs.name, count), barred, count)

    def pairs(self, names: Parsed) -> tuple[Candidates, Floats, npt.NDArray[np.bool_]]:
        """Return the candidates of each name, their comparisons, and where there is a conflict."""
        pairs = self.block.candidates(names.text, names.values, _CANDIDATES)
        features, barred = compare(self.kind, names, self.reference.entries, pairs, self.distinctions)
        return pairs, features, barred

    @cached_property
    def _letters(self) -> frozenset[str]:
        return frozenset(text for text in self.reference.entries.text if len(text) == 1)

    @cached_property
    def _scripts(self) -> frozenset[str]:
        return deciding.scripts(self.reference.entries.text)

    @property
    def version(self) -> str:
        """Digest of all that decides what this matcher says."""
        digest = hashlib.sha256()
        for part in storing.parts(self.kind.name, self.reference, self.model, self.wording):
            digest.update(part)
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write ``matcher.json`` and Parquet tables; what was there is replaced."""
        storing.save(folder, self.kind.name, self.reference, self.model, self.wording)

    @classmethod
    def load(cls, folder: Path) -> "Matcher":
        """Return a saved matcher.

        Raises
        ------
        Refusal
            when the folder holds none, or one of another format
        """
        kind, reference, model, wording = storing.load(folder)
        return cls.over(KINDS[kind], reference, model, wording)
