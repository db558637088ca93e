"""LightGBM: trees grown from summed histograms become its own ``Booster``, and it predicts."""

from collections.abc import Mapping

import lightgbm
import numpy as np

from headwater.federation.boosting import Boosting
from headwater.statistics.trees import Bins, Growth
from headwater.types import Vector

__all__ = ["LightGBM"]


class LightGBM(Boosting):
    """What it grows on squared error where depth, not the number of leaves, ends a tree, split for split."""

    framework = "lightgbm"

    @classmethod
    def of(cls, bins: Bins, *, trees: int = 100, depth: int = 5, rate: float = 0.1, ridge: float = 0.0) -> "LightGBM":
        """Return the learner under LightGBM's own defaults, but for 2**depth leaves."""
        rules = Growth(trees, depth, rate, ridge, least_weight=1e-3, least_records=20, highest=True)
        return cls(bins, rules)

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions of ``booster``."""
        return np.asarray(self.booster(parameters).predict(x[:, 1:]), dtype=np.float64)

    def booster(self, parameters: Vector) -> lightgbm.Booster:
        """Return the framework's own model, by way of its text form; the base is added to the first tree."""
        features = len(self.bins.edges)
        head = {
            "version": "v4",
            "num_class": 1,
            "num_tree_per_iteration": 1,
            "label_index": 0,
            "max_feature_idx": features - 1,
            "objective": "regression",
            "feature_names": " ".join(f"Column_{place}" for place in range(features)),
            "feature_infos": " ".join(["[-inf:inf]"] * features),
        }
        trees = [
            self._tree(number, nodes, float(parameters[0]) if number == 0 else 0.0)
            for number, nodes in enumerate(self.grower.nodes(parameters))
        ]
        return lightgbm.Booster(model_str="\n\n".join(["tree\n" + _lines(head), *trees, "end of trees\n"]))

    def _tree(self, number: int, nodes: Vector, base: float) -> str:
        told = self.grower.listed(nodes)
        splits = [place for place, left in enumerate(told.left) if left >= 0]
        leaves = [place for place, left in enumerate(told.left) if left < 0]
        name = {place: k for k, place in enumerate(splits)} | {place: ~k for k, place in enumerate(leaves)}
        lists: dict[str, list[object]] = {
            "split_feature": [told.feature[k] for k in splits],
            "split_gain": [0] * len(splits),
            # Its rule is x <= threshold, that of the edges x < edge.
            "threshold": [repr(float(np.nextafter(told.edge[k], -np.inf))) for k in splits],
            "decision_type": [2] * len(splits),
            "left_child": [name[told.left[k]] for k in splits],
            "right_child": [name[told.right[k]] for k in splits],
            "leaf_value": [repr(told.value[k] + base) for k in leaves],
        }
        told_lists = {key: " ".join(str(one) for one in values) for key, values in lists.items() if values}
        return _lines(
            {"Tree": number, "num_leaves": len(leaves), "num_cat": 0} | told_lists | {"is_linear": 0, "shrinkage": 1}
        )


def _lines(told: Mapping[str, object]) -> str:
    return "\n".join(f"{key}={value}" for key, value in told.items())
