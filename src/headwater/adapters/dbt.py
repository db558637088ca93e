"""dbt in this process: the transformations of the lake, run with everything it writes under the home folder."""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = ["DbtResult", "NodeResult", "digest", "run"]

# dbt keeps its flags, adapter and event log in module globals, so one invocation at a time in a process.
_ONE_AT_A_TIME = threading.Lock()
_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
_NAMED_FAILURES = 10
_TESTING = frozenset({"build", "test"})
_UNIT = "test_type:unit"
_READ = ("models", "seeds", "macros", "tests")
# What the last parse of this process found: dbt would read and compare every file of the project in every invocation.
_PARSED: dict[int, Any] = {}


@dataclass(frozen=True)
class NodeResult:
    """What became of one node of the project.

    Parameters
    ----------
    kind : ``model``, ``seed``, ``test`` or ``unit_test``
    status : dbt's word: ``success``, ``pass``, ``warn``, ``error``, ``fail`` or ``skipped``
    seconds : wall time of the node
    failures : rows a test found, None where nothing is counted
    message : dbt's message on one line, empty if there is none
    meaning : what a failure of this node means, from its ``meta``, or None
    """

    name: str
    kind: str
    status: str
    seconds: float
    failures: int | None
    message: str
    meaning: Message | None = None


@dataclass(frozen=True)
class DbtResult:
    """One invocation: its nodes in the order in which they ended, and its wall time in seconds."""

    nodes: tuple[NodeResult, ...]
    seconds: float


def run(
    home: Home,
    *,
    command: str = "build",
    select: str | None = None,
    exclude: str | None = None,
    variables: Mapping[str, object] | None = None,
    full_refresh: bool = False,
) -> DbtResult:
    """Run one dbt command on the lake of ``home``; any node that errs or fails is a refusal that names it.

    Parameters
    ----------
    command : ``build``, ``run``, ``test`` or ``seed``
    select : dbt's selection syntax, None for everything; unit tests, which say nothing about the data, run only where
        it says ``test_type:unit``
    exclude : what to leave out of it, in the same syntax
    variables : values that replace those of ``dbt_project.yml``
    full_refresh : rebuild every table from nothing
    """
    options = ["--no-write-json", "--cache-selected-only"]
    options += ["--select", *select.split()] if select is not None else []
    options += ["--exclude", *exclude.split()] if exclude is not None else []
    options += ["--full-refresh"] if full_refresh else []
    # A build runs the tests that read only what it selects; one that reads a mart left out could not run.
    options += ["--indirect-selection", "cautious"] if command == "build" else []
    options += ["--exclude-resource-type", "unit_test"] if command in _TESTING and _UNIT not in (select or "") else []
    with _ONE_AT_A_TIME, _surroundings(home):
        outcome = _invoke(home, command, options, variables)
    if outcome.exception is not None:
        raise _broken_project(outcome.exception) from outcome.exception
    result = DbtResult(tuple(_node(item) for item in outcome.result.results), float(outcome.result.elapsed_time))
    if not result.nodes:
        raise _nothing_selected(select)
    _refuse_failures(result)
    return result


def digest(home: Home) -> str:
    """Return the SHA-256 of everything that says what the tables of the project are; contracts of sources do not."""
    project = home.project / "dbt_project"
    staging = project / "models" / "staging"
    files = [
        file
        for file in _files(project)
        if file.suffix in {".sql", ".csv", ".yml"} and not (file.suffix == ".yml" and staging in file.parents)
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(project)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(project: Path) -> list[Path]:
    """Return what dbt reads; plans, policies and layouts of references beside it are not its own."""
    inside = (file for name in _READ for file in (project / name).rglob("*") if file.is_file())
    return sorted([*inside, *(file for file in project.glob("*.yml"))])


def _arguments(home: Home, command: str, variables: Mapping[str, object] | None) -> list[str]:
    project = str(home.project / "dbt_project")
    arguments = ["--quiet", "--log-level", "none", "--log-level-file", "info", "--log-path", str(home.logs / "dbt")]
    arguments += [command, "--project-dir", project, "--profiles-dir", project]
    arguments += ["--target-path", str(home.root / "dbt")]
    return [*arguments, "--vars", json.dumps(dict(variables))] if variables else arguments


@contextmanager
def _surroundings(home: Home) -> Iterator[None]:
    """Give dbt the addresses it reads from the environment, and put back what it moves."""
    wanted = {
        "DBT_ENV_SECRET_LAKE_CATALOG": postgres.dsn(home, "lake"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "HEADWATER_LAKE_DATA": str(home.lake_data),
    }
    before = {name: os.environ.get(name) for name in wanted}
    folder = os.getcwd()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.chdir(folder)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _invoke(home: Home, command: str, options: Sequence[str], variables: Mapping[str, object] | None) -> Any:
    # Seconds of import that a caller who never builds should not pay.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    lake.import_extensions()
    try:
        parsed = _parsed(home, variables)
        if parsed.exception is not None:
            return parsed
        return dbtRunner(manifest=parsed.result).invoke([*_arguments(home, command, variables), *options])
    finally:
        manager: Any = DuckDBConnectionManager
        manager.close_all_connections()
        _close_log()


def _parsed(home: Home, variables: Mapping[str, object] | None) -> Any:
    """Parse the project, or take what this process parsed before, for whatever home, if no file has changed since."""
    from dbt.cli.main import dbtRunner

    project = home.project / "dbt_project"
    states = ((str(file), file.stat()) for file in _files(project))
    key = hash(
        (
            json.dumps(dict(variables or {}), sort_keys=True),
            *((name, state.st_mtime_ns, state.st_size) for name, state in states),
        )
    )
    if key not in _PARSED:
        outcome = dbtRunner().invoke(_arguments(home, "parse", variables))
        _close_log()
        if outcome.exception is not None:
            return outcome
        _PARSED.clear()
        _PARSED[key] = outcome
    return _PARSED[key]


def _close_log() -> None:
    # dbt opens its log file anew in every invocation and never closes it.
    log = logging.getLogger("file_log")
    for handler in tuple(log.handlers):
        log.removeHandler(handler)
        handler.close()


def _broken_project(exception: BaseException) -> Refusal:
    from dbt.cli.exceptions import DbtUsageException
    from dbt_common.exceptions import DbtBaseException

    if not isinstance(exception, (DbtBaseException, DbtUsageException)):
        raise exception
    return Refusal(
        "E-DBT-PROJECT",
        Message(f"dbt 项目无法运行：{exception}", f"The dbt project does not run: {exception}"),
        Message("请按提示修改 dbt_project。", "Mend dbt_project as the message says."),
    )


def _nothing_selected(select: str | None) -> Refusal:
    return Refusal(
        "E-DBT-NOTHING",
        Message(f"dbt 项目中没有与“{select}”相符的节点。", f"Nothing in the dbt project matches {select!r}."),
        Message("请检查选择条件。", "Check the selection."),
    )


def _node(item: Any) -> NodeResult:
    meta = item.node.config.meta
    return NodeResult(
        name=item.node.name,
        kind=str(item.node.resource_type),
        status=str(item.status),
        seconds=float(item.execution_time),
        failures=item.failures,
        message=" ".join((item.message or "").split()),
        meaning=Message(meta["zh"], meta["en"]) if {"zh", "en"} <= set(meta) else None,
    )


def _refuse_failures(result: DbtResult) -> None:
    failed = [node for node in result.nodes if node.status in _FAILED]
    if not failed:
        return
    skipped = sum(node.status == "skipped" for node in result.nodes)
    raise Refusal(
        "E-DBT-NODE",
        Message(
            f"数据构建失败的节点：{len(failed)}；因此未执行的节点：{skipped}。{_listed(failed, 'zh')}",
            f"Nodes that failed: {len(failed)}; not run because of them: {skipped}. {_listed(failed, 'en')}",
        ),
        Message(
            "请修正所列模型或数据后重新构建；在此之前不要使用依赖它们的结果。",
            "Mend the listed models or data and build again; until then use nothing that follows from them.",
        ),
    )


def _listed(failed: Sequence[NodeResult], language: str) -> str:
    lines = []
    for node in failed[:_NAMED_FAILURES]:
        meaning = "" if node.meaning is None else f" ({getattr(node.meaning, language)})"
        lines.append(f"{node.name}{meaning}: {node.message}")
    if len(failed) > _NAMED_FAILURES:
        lines.append("…")
    return "; ".join(lines)
