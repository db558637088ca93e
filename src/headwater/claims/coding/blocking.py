"""Candidates: for each name the references that share the rarest characters with it, and its attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

from headwater.claims.coding.reading import Indices

__all__ = ["Block", "Candidates"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """p pairs of a name and a reference, sorted by name.

    Parameters
    ----------
    name, entry : (p,) numbers of the name and of the reference
    cosine : (p,) of their texts' n-grams
    told, meant : (p,) share of the name's n-grams that the reference has, and the other way round, by weight
    """

    name: Indices
    entry: Indices
    cosine: Floats
    told: Floats
    meant: Floats

    def where(self, kept: npt.NDArray[np.bool_]) -> "Candidates":
        """Return some of the pairs."""
        return Candidates(self.name[kept], self.entry[kept], self.cosine[kept], self.told[kept], self.meant[kept])


@dataclass(frozen=True)
class Block:
    """What the reference is searched by.

    Parameters
    ----------
    lengths : of the n-grams
    grams : (g,) known n-grams, sorted
    idf : (g + 1,) their weights; the last is that of an n-gram nobody has
    matrix : (g + tokens, r) of the texts, normed, and attribute tokens below
    norm : (r,) of the texts
    tokens : attribute to its known values, numbered, and their weight
    """

    lengths: tuple[int, ...]
    grams: npt.NDArray[np.uint64]
    idf: Floats
    matrix: sparse.csr_matrix
    norm: Floats
    tokens: Mapping[str, tuple[dict[str, int], float]]

    @classmethod
    def built(
        cls,
        texts: Sequence[str],
        values: Mapping[str, Sequence[str]],
        weights: Mapping[str, float],
        lengths: tuple[int, ...],
    ) -> "Block":
        """Index (r,) texts, and those attributes that have a weight."""
        row, gram = _grams(texts, lengths)
        grams, place = np.unique(gram, return_inverse=True)
        count = np.bincount(place, minlength=len(grams))
        idf = np.append(np.log(1 + len(texts) / np.maximum(count, 1)), np.log(1 + len(texts)))
        tokens: dict[str, tuple[dict[str, int], float]] = {}
        start = len(grams)
        for name, weight in weights.items():
            known = {value: start + number for number, value in enumerate(sorted(set(values[name]) - {""}))}
            tokens[name] = (known, weight)
            start += len(known)
        bare = cls(lengths, grams, idf, sparse.csr_matrix((0, 0)), np.empty(0), tokens)
        matrix, norm = bare._vectors(texts, values)
        return cls(lengths, grams, idf, matrix.T.tocsr(), norm, tokens)

    def _vectors(self, texts: Sequence[str], values: Mapping[str, Sequence[str]]) -> tuple[sparse.csr_matrix, Floats]:
        row, gram = _grams(texts, self.lengths)
        place = np.minimum(np.searchsorted(self.grams, gram), max(len(self.grams) - 1, 0))
        known = self.grams[place] == gram if len(self.grams) else np.zeros(len(gram), dtype=np.bool_)
        weight = self.idf[np.where(known, place, -1)]
        norm = np.sqrt(np.bincount(row, weight**2, minlength=len(texts)))
        rows, places = [row[known]], [place[known]]
        data = [(weight / np.maximum(norm[row], 1e-9))[known]]
        for name, (numbered, amount) in self.tokens.items():
            found = np.fromiter((numbered.get(value, -1) for value in values[name]), np.int64, len(texts))
            having = np.flatnonzero(found >= 0)
            rows.append(having)
            places.append(found[having])
            data.append(np.full(len(having), np.sqrt(amount)))
        width = len(self.grams) + sum(len(numbered) for numbered, _ in self.tokens.values())
        entries = (np.concatenate(data).astype(np.float32), (np.concatenate(rows), np.concatenate(places)))
        return sparse.csr_matrix(entries, shape=(len(texts), width)), norm

    def candidates(self, texts: Sequence[str], values: Mapping[str, Sequence[str]], most: int) -> Candidates:
        """Return at most ``most`` references for each of (n,) names."""
        vectors, norm = self._vectors(texts, values)
        found = sp_matmul_topn(vectors, self.matrix, top_n=most, threshold=0.05, sort=False)
        name = np.repeat(np.arange(len(texts)), np.diff(found.indptr))
        entry = found.indices.astype(np.int64)
        cosine = found.data.astype(np.float64) - self._shared(vectors, name, entry)
        cosine = np.clip(cosine, 0, 1)
        # An exact tie is cut by the smaller number, whatever the order in which the sparse product met it.
        order = np.lexsort((entry, name))
        name, entry, cosine = name[order], entry[order], cosine[order]
        ratio = np.maximum(self.norm[entry], 1e-9) / np.maximum(norm[name], 1e-9)
        return Candidates(name, entry, cosine, np.clip(cosine * ratio, 0, 1), np.clip(cosine / ratio, 0, 1))

    def _shared(self, vectors: sparse.csr_matrix, name: Indices, entry: Indices) -> Floats:
        """Return what equal attributes add to the product of each pair."""
        total = np.zeros(len(name))
        for numbered, amount in self.tokens.values():
            if numbered:
                start, stop = min(numbered.values()), max(numbered.values()) + 1
                mine = _only(vectors[:, start:stop])
                theirs = _only(self.matrix[start:stop].T.tocsr())
                total += amount * ((mine[name] == theirs[entry]) & (mine[name] >= 0))
        return total


def _only(part: sparse.csr_matrix) -> Indices:
    """Return the column of the one entry of each row, or -1."""
    part = part.tocsr()
    place: Indices = np.full(part.shape[0], -1, dtype=np.int64)
    place[np.diff(part.indptr) > 0] = part.indices
    return place


def _grams(texts: Sequence[str], lengths: tuple[int, ...]) -> tuple[Indices, npt.NDArray[np.uint64]]:
    """Return each distinct n-gram of each text as a number, with the text's number; sorted."""
    points = np.frombuffer("\n".join((*texts, "")).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    line = points == 10
    row = np.cumsum(line) - line
    rows, grams = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for length in lengths:
        if len(points) < length:
            continue
        inside = np.ones(len(points) - length + 1, dtype=np.bool_)
        gram = np.zeros(len(inside), dtype=np.uint64)
        for step in range(length):
            part = slice(step, step + len(inside))
            inside &= ~line[part]
            gram = (gram << np.uint64(21)) | points[part]
        rows.append(row[: len(inside)][inside])
        grams.append(gram[inside])
    where, what = np.concatenate(rows), np.concatenate(grams)
    order = np.lexsort((what, where))
    where, what = where[order], what[order]
    new = np.ones(len(where), dtype=np.bool_)
    new[1:] = (where[1:] != where[:-1]) | (what[1:] != what[:-1])
    return where[new].astype(np.int64), what[new]
