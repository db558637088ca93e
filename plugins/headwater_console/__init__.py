"""The supervision console: an application of its own that a plugin mounts into Airflow."""

__all__: list[str] = []
