"""Where one installation keeps its things."""

import os
from dataclasses import dataclass
from pathlib import Path

from headwater.errors import Message, Refusal

__all__ = ["Home"]


@dataclass(frozen=True)
class Home:
    """The two folders an installation consists of: its state and its content.

    Parameters
    ----------
    root : state (database, lake, vault, reports, logs); ``HEADWATER_HOME``, default ``<project>/var``
    project : content (dags, dbt_project, expectations, models, plugins); ``HEADWATER_PROJECT``, default the nearest
        folder above the working directory, or above this file, that holds ``dbt_project``
    """

    root: Path
    project: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """Read both folders from the environment, without creating anything."""
        named = os.environ.get("HEADWATER_PROJECT")
        project = Path(named) if named else _find_project()
        root = Path(os.environ.get("HEADWATER_HOME") or project / "var")
        return cls(root=root.resolve(), project=project.resolve())

    def create(self) -> "Home":
        """Make the folders; only their owner may look into them, but others may put files into the inbox."""
        # The root stays open, as the embedded PostgreSQL may run as a user of its own.
        self.deliveries.mkdir(parents=True, exist_ok=True)
        for folder in (
            *(self.vault, self.lake_data, self.reports, self.matchers),
            *(self.mlflow_artifacts, self.airflow, self.logs),
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    @property
    def pgdata(self) -> Path:
        """The embedded PostgreSQL server's data."""
        return self.root / "postgres"

    @property
    def lake_data(self) -> Path:
        """Parquet files of the lake."""
        return self.root / "lake"

    @property
    def vault(self) -> Path:
        """Delivered bytes and keys: the only place where identifiers of persons may stand."""
        return self.root / "vault"

    @property
    def reports(self) -> Path:
        """Rendered reports."""
        return self.root / "reports"

    @property
    def profiles(self) -> Path:
        """Suites of what is usual here: proposed from this installation's own history."""
        return self.root / "expectations"

    @property
    def matchers(self) -> Path:
        """Fitted matchers, a folder a kind and version."""
        return self.root / "matchers"

    @property
    def mlflow_artifacts(self) -> Path:
        """Model files."""
        return self.root / "mlflow"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """Logs of everything that runs."""
        return self.root / "logs"

    @property
    def deliveries(self) -> Path:
        """The default inbox."""
        return self.root / "deliveries"


def _find_project() -> Path:
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / "dbt_project" / "dbt_project.yml").is_file():
                return folder
    raise Refusal(
        "E-NO-PROJECT",
        Message("找不到含有 dbt_project 的项目目录。", "No project folder with a dbt_project was found."),
        Message(
            "请在项目目录中运行，或设置 HEADWATER_PROJECT。", "Run inside the project folder or set HEADWATER_PROJECT."
        ),
    )
