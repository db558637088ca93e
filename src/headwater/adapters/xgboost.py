"""XGBoost: trees grown from summed histograms become its own ``Booster``, and it predicts."""

import json
from typing import Any

import numpy as np
import xgboost

from headwater.federation.boosting import Boosting
from headwater.statistics.trees import Bins, Growth
from headwater.types import Vector

__all__ = ["XGBoost"]

_NONE = 2147483647


class XGBoost(Boosting):
    """What ``tree_method="hist"`` grows level by level on squared error, split for split."""

    framework = "xgboost"

    @classmethod
    def of(cls, bins: Bins, *, trees: int = 100, depth: int = 6, rate: float = 0.3, ridge: float = 1.0) -> "XGBoost":
        """Return the learner under XGBoost's own defaults."""
        return cls(bins, Growth(trees, depth, rate, ridge, least_weight=1.0, least_gain=1e-6, single=True))

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions of ``booster``."""
        told = self.booster(parameters).predict(xgboost.DMatrix(x[:, 1:].astype(np.float32)))
        return np.asarray(told, dtype=np.float64)

    def booster(self, parameters: Vector) -> xgboost.Booster:
        """Return the framework's own model, by way of its JSON form."""
        features, trees = str(len(self.bins.edges)), self.grower.nodes(parameters)
        model: dict[str, Any] = {
            "trees": [self._tree(number, tree, features) for number, tree in enumerate(trees)],
            "tree_info": [0] * len(trees),
            "iteration_indptr": list(range(len(trees) + 1)),
            "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
            "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
        }
        shape = {"base_score": f"[{parameters[0]:.9E}]", "num_class": "0", "num_feature": features, "num_target": "1"}
        learner = {"gradient_booster": {"model": model, "name": "gbtree"}, "learner_model_param": shape}
        learner |= {"objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}}
        learner |= {"attributes": {}, "feature_names": [], "feature_types": []}
        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps({"learner": learner, "version": [3, 2, 0]}), "ascii"))
        return booster

    def _tree(self, number: int, nodes: Vector, features: str) -> dict[str, Any]:
        told = self.grower.listed(nodes)
        count, nothing = len(told.value), [0.0] * len(told.value)
        shape = {"num_deleted": "0", "num_feature": features, "num_nodes": str(count), "size_leaf_vector": "1"}
        tree: dict[str, Any] = {
            "id": number,
            "tree_param": shape,
            "split_type": [0] * count,
            "default_left": [0] * count,
        }
        tree |= {"left_children": told.left, "right_children": told.right, "base_weights": told.value}
        tree |= {"parents": [_NONE if one < 0 else one for one in told.parent], "split_indices": told.feature}
        is_leaf = [left < 0 for left in told.left]
        tree["split_conditions"] = np.where(is_leaf, told.value, told.edge).tolist()
        tree |= {"loss_changes": nothing, "sum_hessian": nothing}
        return tree | {
            name: [] for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes")
        }
