"""The files of a version as MLflow keeps them: saved without pickle, and MLflow kept quiet about it."""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path

from headwater.adapters import served, settings
from headwater.content.models import Model
from headwater.types import Vector

# MLflow decides about telemetry while it is imported.
settings.quiet()

from mlflow.models import ModelSignature  # noqa: E402
from mlflow.types import ColSpec, Schema, TensorSpec  # noqa: E402

__all__ = ["quiet", "save", "signature"]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what MLflow warns of about itself on import and about examples, which would be records of patients."""
    # It would print an address for every run, draw a bar for every file, and log every table that it creates.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        warnings.filterwarnings("ignore", message=".*An input example was not provided")
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        yield


def save(path: Path, model: Model, parameters: Vector) -> None:
    """Save a model so that MLflow serves it, its definition and its parameters beside each other, without pickle."""
    with quiet():
        from mlflow.pyfunc import save_model

        with tempfile.TemporaryDirectory() as folder:
            served.write(Path(folder) / "files", model, parameters)
            save_model(
                path=str(path),
                loader_module=served.__name__,
                data_path=str(Path(folder) / "files"),
                signature=signature(model),
                pip_requirements=[f"headwater=={installed('headwater')}"],
            )


def signature(model: Model) -> ModelSignature:
    """Return what the model takes, and what it gives."""
    features = model.spec.features
    inputs: list[ColSpec | TensorSpec] = [ColSpec("double", numeric.name) for numeric in features.numeric]
    inputs += [ColSpec("string", categorical.name) for categorical in features.categorical]
    outputs: list[ColSpec | TensorSpec] = [ColSpec("double", served.LOG_COST), ColSpec("double", served.COST)]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
