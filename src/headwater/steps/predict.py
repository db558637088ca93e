"""Predict: what the version that serves expects of every stay of its region, each prediction with its version."""

import duckdb
import numpy as np
import pyarrow as pa

from headwater.adapters import features, learners, mlflow, predictions
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run

__all__ = ["predict"]


def predict(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    version: mlflow.Version,
    *,
    region: Region,
    run: Run,
) -> bool:
    """Let a version predict for all stays of the region, unless it has for the same data; return whether it did.

    Predictions of other versions stay: whoever rolls back has them at once. Stays of whoever withdrew are predicted
    too, for claims are supervised whoever took part in a model.
    """
    data = region.data
    if predictions.are_kept(connection, name=version.name, version=version.number, digest=data.digest):
        return False
    model = mlflow.load(home, version)
    stays = features.stays_of(connection, model.learner, region=region.name, snapshot=data.snapshot)
    log_cost = learners.predict(model.learner, model.parameters, stays)
    predicted = pa.table(
        {
            "stay_id": stays.column("stay_id"),
            "source": stays.column("source"),
            "log_cost": log_cost,
            "cost": np.exp(log_cost),
        }
    )
    told = {"name": version.name, "version": version.number, "digest": data.digest, "snapshot": data.snapshot}
    task = model.learner.model.spec.task
    predictions.replace(connection, predicted, told={**told, **run.key(task, region.name), "as_of": run.as_of})
    return True
