"""Predict: what the version that serves expects of every stay of its region, each prediction with its version."""

from contextlib import suppress

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import features, learners, mlflow, predictions
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.served import Served
from headwater.errors import Refusal

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
    too, for claims are supervised whoever took part in a model. A source whose records cannot be read as features has
    no predictions, and no say in those of the others.
    """
    data = region.data
    if predictions.are_kept(connection, name=version.name, version=version.number, digest=data.digest):
        return False
    model = mlflow.load(home, version)
    stays = features.stays_of(connection, model.learner, region=region.name, snapshot=data.snapshot)
    predicted = _predicted(model, stays)
    told = {"name": version.name, "version": version.number, "digest": data.digest, "snapshot": data.snapshot}
    task = model.learner.model.spec.task
    predictions.replace(connection, predicted, told={**told, **run.key(task, region.name), "as_of": run.as_of})
    return True


def _predicted(model: Served, stays: pa.Table) -> pa.Table:
    """Return stay_id, source, log_cost and cost of the stays that can be read."""
    try:
        return _told(model, stays)
    except Refusal:
        parts = (stays.filter(pc.equal(stays["source"], source)) for source in pc.unique(stays["source"]))
        found = []
        for part in parts:
            with suppress(Refusal):
                found.append(_told(model, part))
        return pa.concat_tables([_told(model, stays.slice(0, 0)), *found])


def _told(model: Served, stays: pa.Table) -> pa.Table:
    log_cost = learners.predict(model.learner, model.parameters, stays)
    told = {"stay_id": stays["stay_id"], "source": stays["source"], "log_cost": log_cost, "cost": np.exp(log_cost)}
    return pa.table(told)
