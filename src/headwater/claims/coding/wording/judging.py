"""How much each piece of evidence counts, and how far an answer can be trusted, learned from hospitals held out.

P(code | name) = exp(w.x) / sum exp(w.x')      (McFadden 1974), every code of equal weight
P(right | name) = sigmoid(b + v.t), made monotone to shares of right answers on hospitals that were held out
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from headwater.claims.coding.blocking import Floats
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.wording.evidence import FEATURES

__all__ = ["Asked", "Judge"]

_PULL = 1e-3
_FEW = 50
_SIGNS = tuple(FEATURES.index(name) for name in ("raw", "told", "meant", "known", "bayes", "sources", "says"))


@dataclass(frozen=True)
class Asked:
    """Names whose codes are known, asked of hospitals that are not their own.

    Parameters
    ----------
    features : (n, k, f)
    right : (n, k) whether a candidate is the right code
    code : (n,) number of the right code
    fold : (n,) which hospitals they come from
    """

    features: Floats
    right: npt.NDArray[np.bool_]
    code: Indices
    fold: Indices


@dataclass(frozen=True)
class Judge:
    """What was learned; ``weights`` (f,) act on ``(x - centre) / spread``, ``trust`` on ``_signs`` of the best."""

    centre: Floats
    spread: Floats
    weights: Floats
    trust: Floats
    raw: Floats
    share: Floats

    @classmethod
    def taught(cls, asked: Asked) -> "Judge":
        """Learn from names that were held out; the trust in a fold's answers is learned from the other folds."""
        flat = asked.features.reshape(-1, asked.features.shape[-1])
        centre, spread = flat.mean(axis=0), np.maximum(flat.std(axis=0), 1e-6)
        signs, right = [], []
        for fold in np.unique(asked.fold):
            here = asked.fold == fold
            there = ~here if (~here).any() else here
            weights = _weights((asked.features[there] - centre) / spread, asked.right[there], asked.code[there])
            judge = cls(centre, spread, weights, np.empty(0), np.empty(0), np.empty(0))
            best, seen = judge._best(asked.features[here])
            signs.append(seen)
            right.append(asked.right[here][np.arange(len(best)), best])
        weights = _weights((asked.features - centre) / spread, asked.right, asked.code)
        trust, raw, share = _trusted(signs, right)
        return cls(centre, spread, weights, trust, raw, share)

    def chances(self, features: Floats) -> Floats:
        """Return (n, k) probability of each candidate of a name, none left out."""
        worth = ((features - self.centre) / self.spread) @ self.weights
        power = np.exp(worth - worth.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))

    def confidence(self, features: Floats) -> Floats:
        """Return (n,) how often the best candidate of such a name is right at a hospital not seen before."""
        _, signs = self._best(features)
        return np.asarray(np.interp(_sigmoid(signs, self.trust), self.raw, self.share))

    def _best(self, features: Floats) -> tuple[Indices, Floats]:
        chance = self.chances(features)
        order = np.argsort(-chance, axis=1, kind="stable")
        row = np.arange(len(chance))
        best = order[:, 0]
        first = chance[row, best]
        second = chance[row, order[:, 1]] if chance.shape[1] > 1 else np.zeros(len(row))
        odds = [_odds(first), np.minimum(np.log(np.maximum(first, 1e-12) / np.maximum(second, 1e-12)), 12)]
        return best, np.column_stack([*odds, features[row, best][:, list(_SIGNS)]])


def _odds(chance: Floats) -> Floats:
    kept = np.clip(chance, 1e-5, 1 - 1e-5)
    return np.asarray(np.log(kept / (1 - kept)))


def _sigmoid(signs: Floats, trust: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(signs @ trust[1:] + trust[0]))))


def _weights(scaled: Floats, right: npt.NDArray[np.bool_], code: Indices) -> Floats:
    has = right.any(axis=1)
    scaled, hit = scaled[has], right[has].astype(np.float64)
    count = np.bincount(code)
    weight = 1 / count[code[has]]
    weight /= max(weight.sum(), 1e-12)

    def loss(weights: Floats) -> tuple[float, Floats]:
        worth = scaled @ weights
        worth -= worth.max(axis=1, keepdims=True)
        chance = np.exp(worth)
        chance /= chance.sum(axis=1, keepdims=True)
        likely = np.maximum((chance * hit).sum(axis=1), 1e-12)
        slope = np.einsum("nk,nkf->f", (chance - hit) * weight[:, None], scaled)
        return float(-(weight * np.log(likely)).sum() + _PULL * weights @ weights), slope + 2 * _PULL * weights

    return np.asarray(minimize(loss, np.zeros(scaled.shape[-1]), jac=True, method="L-BFGS-B").x)


def _trusted(signs: list[Floats], right: list[npt.NDArray[np.bool_]]) -> tuple[Floats, Floats, Floats]:
    """Return the trust in the signs, and the rising curve from it to shares of right answers on folds held out."""
    whole, hits = np.concatenate(signs), np.concatenate(right)
    if len(hits) < _FEW or hits.all() or not hits.any():
        return np.zeros(whole.shape[1] + 1), np.array([0.0, 1.0]), np.full(2, float(hits.mean()) if len(hits) else 0.0)
    seen = []
    for place, mine in enumerate(signs):
        rest = [n for n in range(len(signs)) if n != place] or [place]
        others, hit = np.concatenate([signs[n] for n in rest]), np.concatenate([right[n] for n in rest])
        seen.append(_sigmoid(mine, _fit(others, hit) if 0 < hit.sum() < len(hit) else np.zeros(whole.shape[1] + 1)))
    curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(np.concatenate(seen), hits)
    raw, share = np.asarray(curve.X_thresholds_, np.float64), np.asarray(curve.y_thresholds_, np.float64)
    return _fit(whole, hits), np.concatenate([[0.0], raw, [1.0]]), np.concatenate([[0.0], share, [share[-1]]])


def _fit(signs: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    spread = np.maximum(signs.std(axis=0), 1e-6)
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(signs / spread, right)
    return np.concatenate([fitted.intercept_, fitted.coef_[0] / spread])
