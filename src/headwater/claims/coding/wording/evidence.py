"""What speaks for each code: the names that other hospitals give it, looked at as letters, as words and as a whole."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import ComplementNB

from headwater.claims.coding.blocking import Floats
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.wording.words import codes_in, plain, said, standard

__all__ = ["FEATURES", "Evidence"]

FEATURES = ("raw", "letters", "words", "told", "meant", "known", "centre", "bayes", "sources", "says")
"""Best cosine of a code's names by letters as written, by letters and by words spelled out; best share of the name's
words that one of the code's names says, and the other way round; share that all of them say; cosine with their mean, a
source one voice; log-odds of naive Bayes; log number of sources; whether the name states the code itself."""
_SHORTLIST = {
    "letters": 2.0,
    "raw": 0.3,
    "words": 1.0,
    "told": 0.3,
    "meant": 0.5,
    "known": 0.6,
    "centre": 1.0,
    "says": 5.0,
}
_CANDIDATES = 20
_BLOCK = 500
_PREFIX = 4
_LONG, _ALIKE = 6, 84
_SMOOTHING = 0.3


@dataclass(frozen=True, eq=False)
class Evidence:
    """The names of c codes, indexed; rows of all matrices are names, sorted by code."""

    codes: Sequence[str]
    start: Indices
    vectors: dict[str, TfidfVectorizer]
    names: dict[str, sparse.csr_matrix]
    centre: sparse.csr_matrix
    bayes: ComplementNB
    has: sparse.csr_matrix
    vocabulary: sparse.csr_matrix
    sources: Floats

    @classmethod
    def built(cls, names: Sequence[str], codes: Sequence[str], sources: Sequence[str]) -> "Evidence":
        """Index (n,) names with their codes, and the source that each comes from."""
        listed, code = np.unique(np.asarray(codes, dtype=object), return_inverse=True)
        order = np.argsort(code, kind="stable")
        code, texts = code[order], [plain(names[place]) for place in order]
        voice = np.unique(np.asarray(sources, dtype=object), return_inverse=True)[1][order]
        vectors = {
            "raw": TfidfVectorizer(analyzer="char", ngram_range=(3, 3), dtype=np.float32),
            "letters": TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True, dtype=np.float32),
            "words": TfidfVectorizer(analyzer=str.split, sublinear_tf=True, dtype=np.float32),
        }
        indexed = {look: vectors[look].fit_transform(seen) for look, seen in _looks(texts).items()}
        words, count = indexed["words"], len(listed)
        has = words.copy()
        has.data[:] = 1
        weight = 1 / np.bincount(code)[code]
        owned, size = np.unique(np.column_stack([code, voice]), axis=0, return_counts=True)
        _, place, share = np.unique(np.column_stack([code, voice]), axis=0, return_inverse=True, return_counts=True)
        mean = _by_code(code, 1 / share[place.ravel()], count) @ words
        norm = np.sqrt(np.asarray(mean.multiply(mean).sum(axis=1))).ravel()
        vocabulary = (_by_code(code, np.ones(len(code)), count) @ has).tocsr()
        vocabulary.data[:] = 1
        return cls(
            codes=listed.tolist(),
            start=np.searchsorted(code, np.arange(count)),
            vectors=vectors,
            names={look: matrix.T.tocsr() for look, matrix in indexed.items()},
            centre=(sparse.diags((1 / np.maximum(norm, 1e-9)).astype(np.float32)) @ mean).T.tocsr(),
            bayes=ComplementNB(alpha=_SMOOTHING).fit(words, code, sample_weight=weight),
            has=has.tocsr(),
            vocabulary=vocabulary.T.tocsr(),
            sources=np.log(np.bincount(owned[:, 0], minlength=count)),
        )

    def weigh(self, names: Sequence[str]) -> tuple[Indices, Floats]:
        """Return (n, k) the codes most likely meant by each of (n,) names, and (n, k, f) what speaks for them."""
        texts = [plain(name) for name in names]
        looks = _looks(texts)
        asked = {look: self.vectors[look].transform(seen) for look, seen in looks.items()}
        words = self._words([text.split() for text in looks["words"]])
        parts = [self._block(texts, asked, words, start) for start in range(0, len(texts), _BLOCK)]
        if not parts:
            return np.empty((0, 1), np.int64), np.empty((0, 1, len(FEATURES)))
        return np.concatenate([code for code, _ in parts]), np.concatenate([seen for _, seen in parts])

    def _block(
        self, texts: Sequence[str], asked: dict[str, sparse.csr_matrix], words: "_Words", start: int
    ) -> tuple[Indices, Floats]:
        part = slice(start, start + _BLOCK)
        seen: dict[str, npt.NDArray[Any]] = {
            look: self._best((asked[look][part] @ self.names[look]).toarray()) for look in asked
        }
        total = np.maximum(words.total[part, None], 1e-6)
        seen["told"] = self._best((words.weight[part] @ words.told).toarray() / total)
        seen["meant"] = self._best(np.minimum((words.met[part] @ words.meant).toarray() / words.whole, 1))
        seen["known"] = (words.weight[part] @ words.known).toarray() / total
        seen["centre"] = (asked["words"][part] @ self.centre).toarray()
        odds = self.bayes.predict_log_proba(asked["words"][part])
        seen["bayes"] = odds - odds.max(axis=1, keepdims=True)
        seen["sources"] = np.broadcast_to(self.sources, odds.shape)
        seen["says"] = self._says(texts[part])
        worth = np.sum([weight * seen[look] for look, weight in _SHORTLIST.items()], axis=0)
        most = min(_CANDIDATES, worth.shape[1])
        # Equal worth goes by the code, so that the same names give the same candidates every time.
        code = np.argsort(-np.round(worth, 6), axis=1, kind="stable")[:, :most]
        row = np.arange(len(code))[:, None]
        return code, np.stack([np.asarray(seen[look])[row, code] for look in FEATURES], axis=-1).astype(np.float64)

    def _best(self, by_name: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.maximum.reduceat(by_name, self.start, axis=1)

    def _says(self, texts: Sequence[str]) -> Floats:
        number = {code: place for place, code in enumerate(self.codes)}
        said = np.zeros((len(texts), len(self.codes)))
        for row, text in enumerate(texts):
            for code in codes_in(text):
                if code in number:
                    said[row, number[code]] = 1
        return said

    def _words(self, names: Sequence[Sequence[str]]) -> "_Words":
        vector = self.vectors["words"]
        idf = np.asarray(vector.idf_, dtype=np.float32)
        listed = sorted({word for words in names for word in words})
        number = {word: place for place, word in enumerate(listed)}
        like = _alike(listed, vector.vocabulary_)
        worth = np.array(
            [idf[vector.vocabulary_[word]] if word in vector.vocabulary_ else idf.max() for word in listed]
        )
        row = np.repeat(np.arange(len(names)), [len(words) for words in names])
        column = np.array([number[word] for words in names for word in words], dtype=np.int64)
        weight = sparse.csr_matrix((worth[column].astype(np.float32), (row, column)), (len(names), len(listed)))
        present = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), (len(names), len(listed)))
        spoken = self.has @ sparse.diags(idf)
        return _Words(
            weight=weight,
            total=np.asarray(weight.sum(axis=1)).ravel(),
            told=_capped(like @ self.has.T),
            known=_capped(like @ self.vocabulary),
            met=_capped(present @ like),
            meant=spoken.T.tocsr(),
            whole=np.maximum(np.asarray(spoken.sum(axis=1)).ravel(), 1e-6),
        )


@dataclass(frozen=True)
class _Words:
    """The words of names against those of the references: likeness by word, and weights of both sides."""

    weight: sparse.csr_matrix
    total: Floats
    told: sparse.csr_matrix
    known: sparse.csr_matrix
    met: sparse.csr_matrix
    meant: sparse.csr_matrix
    whole: Floats


def _looks(texts: Sequence[str]) -> dict[str, list[str]]:
    return {
        "raw": list(texts),
        "letters": [" ".join(standard(text)) for text in texts],
        "words": [" ".join(said(text)) for text in texts],
    }


def _by_code(code: Indices, weight: Floats, count: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((weight.astype(np.float32), (code, np.arange(len(code)))), shape=(count, len(code)))


def _capped(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return a sparse matrix whose entries are at most one: a word is met once, whoever it resembles."""
    matrix = matrix.tocsr()
    matrix.data = np.minimum(matrix.data, 1)
    return matrix


def _alike(words: Sequence[str], known: dict[str, int]) -> sparse.csr_matrix:
    """Return (w, v) how far each word may be each known one: itself, cut short, longer, or a slip of the pen."""
    ordered = sorted(known)
    long = [word for word in ordered if len(word) >= _LONG]
    found: list[tuple[int, int, float]] = []
    for number, word in enumerate(words):
        if word in known:
            found.append((number, known[word], 1.0))
        if not word[0].isalpha() or len(word) < _PREFIX:
            continue
        found += [
            (number, known[word[:size]], (size / len(word)) ** 0.5)
            for size in range(_PREFIX, len(word))
            if word[:size] in known
        ]
        place = bisect_left(ordered, word)
        while place < len(ordered) and ordered[place].startswith(word):
            if ordered[place] != word:
                found.append((number, known[ordered[place]], (len(word) / len(ordered[place])) ** 0.5))
            place += 1
        if word not in known and len(word) >= _LONG:
            near = process.extract(word, long, scorer=fuzz.ratio, score_cutoff=_ALIKE, limit=3)
            found += [(number, known[other], 0.9 * score / 100) for other, score, _ in near]
    row, column, value = (np.array([one[place] for one in found]) for place in range(3))
    return sparse.csr_matrix(
        (value.astype(np.float32), (row.astype(np.int64), column.astype(np.int64))), shape=(len(words), len(known))
    )
