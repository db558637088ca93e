"""A model version as it lies on disk and predicts: its definition, its parameters, nothing that is unpickled."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from safetensors.numpy import load_file as load_tensors
from safetensors.numpy import save_file as save_tensors

from headwater.adapters.learners import Learner, learner, predict
from headwater.content.models import Model, load_file
from headwater.types import Vector

__all__ = ["COST", "LOG_COST", "PARAMETERS", "Served", "read", "write"]

LOG_COST, COST = "log_cost", "cost"
_DEFINITION, PARAMETERS, _CARD = "definition.py", "parameters.safetensors", "card.md"
_TENSOR = "parameters"


@dataclass(frozen=True)
class Served:
    """What MLflow calls to predict: a table of raw features in, ln(cost) and typical (median) cost out."""

    learner: Learner
    parameters: Vector

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Return ``log_cost`` and ``cost`` for each row of ``model_input``; ``params`` is unused."""
        table = pa.Table.from_pandas(model_input, preserve_index=False)
        predicted = predict(self.learner, self.parameters, table)
        return pd.DataFrame({LOG_COST: predicted, COST: np.exp(predicted)}, index=model_input.index)


def write(folder: Path, model: Model, parameters: Vector) -> None:
    """Lay out what ``_load_pyfunc`` reads."""
    folder.mkdir(parents=True)
    shutil.copyfile(model.definition, folder / _DEFINITION)
    (folder / _CARD).write_text(model.card, encoding="utf-8")
    save_tensors({_TENSOR: np.ascontiguousarray(parameters)}, folder / PARAMETERS)


def read(folder: Path) -> Served:
    """Read a version back from the folder that ``write`` laid out."""
    model = replace(load_file(folder / _DEFINITION), card=(folder / _CARD).read_text(encoding="utf-8"))
    return Served(learner(model), np.asarray(load_tensors(folder / PARAMETERS)[_TENSOR], dtype=np.float64))


def _load_pyfunc(path: str) -> Served:
    """Read a version back; the name is MLflow's for a loader module."""
    return read(Path(path))
