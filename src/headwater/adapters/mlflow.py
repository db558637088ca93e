"""MLflow: runs, model versions and their lineage, through a server or straight into its database."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.adapters import mlflow_files, postgres, served, settings
from headwater.adapters.features import DataSeen
from headwater.adapters.home import Home
from headwater.adapters.mlflow_files import quiet
from headwater.adapters.served import Served
from headwater.content.models import Model
from headwater.errors import Message, Refusal
from headwater.types import Vector

# MLflow decides about telemetry while it is imported.
settings.quiet()

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import (  # noqa: E402
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)
from mlflow.entities.model_registry import ModelVersion  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

__all__ = [
    "CHAMPION",
    "Entry",
    "Publication",
    "Version",
    "champion",
    "client",
    "find",
    "folder",
    "load",
    "numbered",
    "predictor",
    "promote",
    "record",
    "register",
    "tracking_uri",
    "version_of",
]

CHAMPION = "champion"
"""The alias of the version that serves; moved only by ``promote``."""

_MODEL_VERSIONS_TAG = "mlflow.modelVersions"
_RUN_TAG, _MODEL_ID_TAG, _PARENT_TAG = "headwater.run", "headwater.model_id", "headwater.parent_version"
_OPPONENT_TAG = "headwater.opponent"


@dataclass(frozen=True)
class Entry:
    """What one run has to say.

    Parameters
    ----------
    experiment, title : where it stands and what it is called
    run : key of the occasion; the same key is never recorded twice
    at : when it took place
    data : what it read
    metrics : at most 50 figures; several of one name are those of the rounds, in their order
    params, tags : short texts
    artifacts : file name to what is written there as JSON
    """

    experiment: str
    title: str
    run: str
    at: datetime
    data: DataSeen
    metrics: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A registered model version.

    Parameters
    ----------
    location : address of its files
    parent : label of the version that it goes on from
    """

    name: str
    number: int
    run_id: str
    model_id: str
    location: str
    parent: str | None = None

    @property
    def label(self) -> str:
        """Name and number as MLflow writes them in a URI: ``name/number``."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True)
class Publication:
    """A model on its way to the registry.

    Parameters
    ----------
    registered : name in the registry; models that compete for one champion share it
    model, parameters : what predicts
    entry : the run that made it
    description : one paragraph for the version's page
    parent : the version that it goes on from, None where it was learned anew
    opponent : what serves while it is registered
    """

    registered: str
    model: Model
    parameters: Vector
    entry: Entry
    description: str
    parent: Version | None = None
    opponent: Version | None = None


def tracking_uri(home: Home) -> str:
    """Return ``MLFLOW_TRACKING_URI``, or else MLflow's own database: the steps work without a server."""
    return os.environ.get("MLFLOW_TRACKING_URI") or postgres.url(home, "mlflow")


def client(home: Home) -> MlflowClient:
    """Return MLflow's own client of this installation."""
    return _open(tracking_uri(home))


def record(home: Home, entry: Entry) -> str:
    """Write one finished run and return its id; an occasion that is already recorded is left as it is."""
    store = client(home)
    experiment = _experiment(store, home, entry.experiment)
    known = store.search_runs(
        [experiment], f"tags.`{_RUN_TAG}` = {_quoted(entry.run)} and attributes.status = 'FINISHED'"
    )
    if known:
        return str(known[0].info.run_id)
    with _run(store, experiment, entry) as run_id:
        store.log_batch(run_id, metrics=_metrics(entry))
    return run_id


def register(home: Home, publication: Publication) -> Version:
    """Save the model without pickle, record the run that made it, and register it as a new version.

    A retried occasion finds the version that it registered before.
    """
    store, entry = client(home), publication.entry
    known = find(home, publication.registered, run=entry.run)
    if known is not None:
        return known
    experiment = _experiment(store, home, entry.experiment)
    with _run(store, experiment, entry) as run_id:
        logged = _log_model(store, experiment, run_id, publication)
        store.log_batch(run_id, metrics=_metrics(entry, model_id=logged.model_id))
        if publication.parent is not None:
            store.log_inputs(run_id, models=[LoggedModelInput(publication.parent.model_id)])
        store.log_batch(run_id, tags=[RunTag(*tag) for tag in _kin(publication).items()])
    return _create_version(store, publication, run_id, logged)


def find(home: Home, registered: str, *, run: str) -> Version | None:
    """Return the version that an occasion registered."""
    found = client(home).search_model_versions(f"name = {_quoted(registered)} and tags.`{_RUN_TAG}` = {_quoted(run)}")
    return version_of(found[0]) if found else None


def champion(home: Home, registered: str) -> Version | None:
    """Return the version that serves now."""
    found = client(home).search_registered_models(f"name = {_quoted(registered)}")
    number = found[0].aliases.get(CHAMPION) if found else None
    return version_of(client(home).get_model_version(registered, number)) if number else None


def numbered(home: Home, registered: str, number: int) -> Version:
    """Return one version by its number; one that is not there is refused."""
    try:
        return version_of(client(home).get_model_version(registered, str(number)))
    except MlflowException as error:
        raise Refusal(
            "E-VERSION-UNKNOWN",
            Message(f"没有模型版本 {registered}/{number}。", f"There is no version {registered}/{number}."),
            Message("用 headwater model list 查看。", "See headwater model list."),
        ) from error


def load(home: Home, version: Version) -> Served:
    """Load a version's own definition and parameters."""
    return served.read(next(folder(home, version).rglob(served.PARAMETERS)).parent)


def promote(home: Home, version: Version) -> None:
    """Let ``version`` serve from now on."""
    client(home).set_registered_model_alias(version.name, CHAMPION, str(version.number))


def folder(home: Home, version: Version) -> Path:
    """Return where the files of a version are, brought here if they are elsewhere."""
    with quiet():
        from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=version.location, tracking_uri=tracking_uri(home)))


def predictor(home: Home, version: Version) -> Callable[[pa.Table], Vector]:
    """Load a version back from MLflow and return what predicts ln(cost), (rows,), for a feature table."""
    with quiet():
        from mlflow.pyfunc import load_model

    loaded = load_model(str(folder(home, version)))
    columns = loaded.metadata.signature.inputs.input_names()

    def predict(table: pa.Table) -> Vector:
        answer = pd.DataFrame(loaded.predict(table.select(columns).to_pandas()))
        return np.asarray(answer[served.LOG_COST].to_numpy(), dtype=np.float64)

    return predict


@cache
def _open(uri: str) -> MlflowClient:
    with quiet():
        store = MlflowClient(tracking_uri=uri, registry_uri=uri)
        store.search_experiments(max_results=1)
        return store


def _experiment(store: MlflowClient, home: Home, name: str) -> str:
    known = store.get_experiment_by_name(name)
    if known is None:
        # A server knows best where its artifacts lie; without one they lie in this installation.
        served_by = tracking_uri(home).startswith("http")
        place = None if served_by else (home.mlflow_artifacts / name).as_uri()
        try:
            return str(store.create_experiment(name, artifact_location=place))
        except MlflowException as error:
            known = store.get_experiment_by_name(name)
            if known is None:
                raise error
    return str(known.experiment_id)


@contextmanager
def _run(store: MlflowClient, experiment: str, entry: Entry) -> Iterator[str]:
    tags = {**entry.tags, _RUN_TAG: entry.run}
    run = store.create_run(experiment, start_time=_milliseconds(entry.at), tags=tags, run_name=entry.title)
    run_id, status = str(run.info.run_id), "FAILED"
    try:
        store.log_batch(run_id, params=[Param(key, value) for key, value in entry.params.items()])
        store.log_inputs(run_id, datasets=[_dataset(entry.data)])
        for name, content in entry.artifacts.items():
            store.log_dict(run_id, content, name)
        yield run_id
        status = "FINISHED"
    finally:
        store.set_terminated(run_id, status)


def _digest(data: DataSeen) -> str:
    """Return snapshot and content in the 36 characters that MLflow allows."""
    return f"s{data.snapshot}-{data.digest}"[:36]


def _dataset(data: DataSeen) -> DatasetInput:
    source = json.dumps({"uri": f"ducklake://lake/{data.table}", "snapshot": data.snapshot})
    profile = json.dumps({"num_rows": data.rows, "snapshot": data.snapshot, "content": data.digest})
    dataset = Dataset(name=data.table, digest=_digest(data), source_type="ducklake", source=source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _metrics(entry: Entry, *, model_id: str | None = None) -> list[Metric]:
    return [
        Metric(
            key,
            float(value),
            _milliseconds(entry.at),
            turn,
            model_id=model_id,
            dataset_name=entry.data.table if model_id else None,
            dataset_digest=_digest(entry.data) if model_id else None,
        )
        for key, values in entry.metrics.items()
        for turn, value in enumerate(values if isinstance(values, Sequence) else [values])
    ]


def _log_model(store: MlflowClient, experiment: str, run_id: str, publication: Publication) -> LoggedModel:
    spec, entry = publication.model.spec, publication.entry
    logged = store.create_logged_model(
        experiment, name=spec.name, source_run_id=run_id, params=dict(entry.params), model_type=spec.learner
    )
    with tempfile.TemporaryDirectory() as folder:
        mlflow_files.save(Path(folder) / "model", publication.model, publication.parameters)
        store.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
    store.finalize_logged_model(logged.model_id, "READY")
    store.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return logged


def _create_version(store: MlflowClient, publication: Publication, run_id: str, logged: LoggedModel) -> Version:
    name, entry = publication.registered, publication.entry
    if not store.search_registered_models(f"name = {_quoted(name)}"):
        store.create_registered_model(name, description=publication.model.card)
    created = store.create_model_version(
        name,
        # The artifacts' own address: a models:/ address would be resolved through a global default store.
        source=logged.artifact_location,
        run_id=run_id,
        tags={**entry.tags, **_kin(publication), _RUN_TAG: entry.run, _MODEL_ID_TAG: logged.model_id},
        description=publication.description,
        model_id=logged.model_id,
    )
    listed = json.dumps([{"name": name, "version": created.version}])
    store.set_logged_model_tags(logged.model_id, {_MODEL_VERSIONS_TAG: listed})
    return version_of(created)


def _kin(publication: Publication) -> dict[str, str]:
    """Return the tags that tell of other versions."""
    parent, opponent = publication.parent, publication.opponent
    told = {} if opponent is None else {_OPPONENT_TAG: opponent.label}
    if parent is None:
        return told
    return told | {
        _PARENT_TAG: parent.label,
        "headwater.parent_run": parent.run_id,
        "headwater.parent_model_id": parent.model_id,
    }


def version_of(item: ModelVersion) -> Version:
    """Read a version as MLflow lists it; one that others registered is refused."""
    if _MODEL_ID_TAG not in item.tags:
        label = f"{item.name}/{item.version}"
        raise Refusal(
            "E-MLFLOW-FOREIGN",
            Message(
                f"模型版本 {label} 不是由 headwater 登记的。", f"The version {label} was not registered by headwater."
            ),
            Message("请把别名移到其他版本。", "Move the alias to another version."),
        )
    return Version(
        name=item.name,
        number=int(item.version),
        run_id=str(item.run_id),
        model_id=item.tags[_MODEL_ID_TAG],
        location=str(item.source),
        parent=item.tags.get(_PARENT_TAG),
    )


def _quoted(text: str) -> str:
    """Write ``text`` as a string of MLflow's filter language, which has no escapes."""
    for mark in ("'", '"'):
        if mark not in text:
            return f"{mark}{text}{mark}"
    raise Refusal(
        "E-MLFLOW-NAME",
        Message(f"名称 {text} 同时含有两种引号。", f"The name {text} holds both kinds of quotation marks."),
        Message("请改名。", "Choose another name."),
    )


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
