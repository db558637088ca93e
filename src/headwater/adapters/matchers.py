"""Versions of matchers: kept under the home, and registered in MLflow with what they were fitted on."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from headwater.adapters import mlflow
from headwater.adapters.home import Home
from headwater.adapters.mlflow import Entry

__all__ = ["Registered", "keep", "registered"]

_VERSION, _PARENT, _PARENT_RUN = "headwater.matcher", "headwater.parent_version", "headwater.parent_run"
_FILES = "matcher"


@dataclass(frozen=True)
class Registered:
    """A matcher's version in MLflow; ``parent`` is the label of the one before it."""

    name: str
    number: int
    run_id: str
    matcher_version: str
    parent: str | None

    @property
    def label(self) -> str:
        """Name and number as MLflow writes them in a URI."""
        return f"{self.name}/{self.number}"


def keep(home: Home, entry: Entry, *, kind: str, folder: Path, save: Callable[[Path], None]) -> Registered:
    """Save a version, register it, and let its folder appear only when both are done.

    Parameters
    ----------
    entry : the run that fitted it; its data are the reference
    folder : called as the version is
    save : writes the matcher into a folder
    """
    version = folder.name
    draft = folder.with_name(f".{version}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        save(draft)
        found = _register(home, entry, name=f"coding-{kind}", version=version, folder=draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def registered(home: Home, *, kind: str) -> list[Registered]:
    """Return every version of a kind's matcher in MLflow, the newest first."""
    found = mlflow.client(home).search_model_versions(f"name = 'coding-{kind}'")
    mine = [
        Registered(one.name, int(one.version), str(one.run_id), one.tags[_VERSION], one.tags.get(_PARENT))
        for one in found
        if _VERSION in one.tags
    ]
    return sorted(mine, key=lambda one: -one.number)


def _register(home: Home, entry: Entry, *, name: str, version: str, folder: Path) -> Registered:
    store = mlflow.client(home)
    before = registered(home, kind=name.removeprefix("coding-"))
    known = next((one for one in before if one.matcher_version == version), None)
    if known is not None:
        return known
    parent = before[0] if before else None
    lineage = {_PARENT: parent.label, _PARENT_RUN: parent.run_id} if parent else {}
    tags = {**entry.tags, **lineage, _VERSION: version}
    run_id = mlflow.record(home, replace(entry, run=f"matcher {name} {version}", tags=tags))
    store.log_artifacts(run_id, str(folder), _FILES)
    if not store.search_registered_models(f"name = '{name}'"):
        store.create_registered_model(name)
    source = f"{store.get_run(run_id).info.artifact_uri}/{_FILES}"
    made = store.create_model_version(name, source=source, run_id=run_id, tags=tags)
    return Registered(name, int(made.version), run_id, version, parent.label if parent else None)
