"""Probes of an installation: each looks at one thing and says what it found and how to mend it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import duckdb
import psutil
import psycopg

from headwater.adapters import coding_probes, inbox, lake, postgres, stack
from headwater.adapters.home import Home
from headwater.adapters.settings import TELEMETRY_OFF, Ports
from headwater.errors import HeadwaterError, Message, Refusal

__all__ = ["PROBES", "Finding", "Level"]

Level = Literal["good", "warn", "bad"]

_DISK_GIB = 5
_MEMORY_GIB = 4
_PYTHON = ((3, 11), (3, 14))
_POSTGRES = 15
_DBT_S = 180.0
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;#\\]+)")
_NOTHING = Message("", "")


@dataclass(frozen=True)
class Finding:
    """What one probe found.

    Parameters
    ----------
    name : of the probe
    level : ``good``; ``warn``, which one may live with; ``bad``, which stops the work
    found : what is so
    remedy : how to mend it, empty when there is nothing to mend
    """

    name: str
    level: Level
    found: Message
    remedy: Message = _NOTHING

    def to_dict(self) -> dict[str, str]:
        """Return the finding as JSON-safe values."""
        found, remedy = self.found, self.remedy
        texts = {"zh": found.zh, "en": found.en, "remedy_zh": remedy.zh, "remedy_en": remedy.en}
        return {"name": self.name, "level": self.level, **texts}


def _python(home: Home) -> Finding:
    present = ".".join(map(str, sys.version_info[:3]))
    found = Message(f"Python {present}", f"Python {present}")
    if _PYTHON[0] <= sys.version_info[:2] < _PYTHON[1]:
        return Finding("python", "good", found)
    return Finding("python", "bad", found, Message("请安装 Python 3.11 至 3.13。", "Install Python 3.11 to 3.13."))


def _lock(home: Home) -> Finding:
    path = home.project / "requirements.lock"
    if not path.exists():
        return Finding(
            "lock",
            "bad",
            Message(f"找不到 {path}。", f"{path} is missing."),
            Message("请从项目仓库恢复它。", "Restore it from the project's repository."),
        )
    pins = dict(_pins(path.read_text(encoding="utf-8")))
    off = [f"{name} {_installed(name)} ≠ {pin}" for name, pin in pins.items() if not _agrees(_installed(name), pin)]
    if not off and pins:
        return Finding("lock", "good", Message(f"{len(pins)} 个包与锁定版本一致", f"{len(pins)} packages as locked"))
    listed = "; ".join(off[:8]) + (" …" if len(off) > 8 else "")
    return Finding(
        "lock",
        "bad",
        Message(f"{len(off)} 个包与锁定版本不同：{listed}", f"{len(off)} packages differ from the lock: {listed}"),
        Message("请运行 make setup 重装环境。", "Run make setup to install the environment again."),
    )


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := _PIN.match(line.strip()):
            yield match[1], match[2]


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "–"


def _agrees(installed: str, pin: str) -> bool:
    """Compare versions; a local build such as 2.13.0+cpu is what 2.13.0 asks for."""
    return installed == pin or installed.partition("+")[0] == pin


def _extensions(home: Home) -> Finding:
    try:
        with duckdb.connect(":memory:") as connection:
            lake.load_extensions(connection)
    except (duckdb.Error, ImportError, OSError) as error:
        told = str(error).splitlines()[0]
        return Finding(
            "extensions",
            "bad",
            Message(f"DuckDB 扩展无法加载：{told}", f"DuckDB's extensions do not load: {told}"),
            Message(
                f"扩展包的版本须与 duckdb {duckdb.__version__} 相同；请运行 make setup。",
                f"The extension wheels must have the version of duckdb, {duckdb.__version__}; run make setup.",
            ),
        )
    names = ", ".join(lake.EXTENSIONS)
    return Finding("extensions", "good", Message(f"DuckDB 扩展可用：{names}", f"DuckDB's extensions load: {names}"))


def _postgres(home: Home) -> Finding:
    try:
        with psycopg.connect(postgres.dsn(home, "postgres"), connect_timeout=10) as connection:
            number = connection.info.server_version // 10000
    except (psycopg.Error, subprocess.SubprocessError, OSError, RuntimeError) as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Finding(
            "postgres",
            "bad",
            Message(f"PostgreSQL 不可用：{told}", f"PostgreSQL cannot be used: {told}"),
            Message(
                f"请看 {home.pgdata / 'log'}，或用 {postgres.DSN_VARIABLE} 指定一个服务器。",
                f"See {home.pgdata / 'log'}, or name a server in {postgres.DSN_VARIABLE}.",
            ),
        )
    found = Message(f"PostgreSQL {number} 可用", f"PostgreSQL {number} answers")
    if number >= _POSTGRES:
        return Finding("postgres", "good", found)
    remedy = Message(f"需要 PostgreSQL {_POSTGRES} 或更新。", f"PostgreSQL {_POSTGRES} or newer is needed.")
    return Finding("postgres", "bad", found, remedy)


def _ports(home: Home) -> Finding:
    ports = Ports.from_environment()
    told = f"{ports.airflow}, {ports.mlflow}"
    if stack.running(home):
        return Finding(
            "ports", "good", Message(f"{told} 由运行中的 headwater 使用", f"{told} are used by headwater itself")
        )
    try:
        stack.free_ports(ports)
    except Refusal as error:
        return Finding("ports", "bad", error.reason, error.remedy)
    return Finding("ports", "good", Message(f"端口空闲：{told}", f"ports are free: {told}"))


def _disk(home: Home) -> Finding:
    folder = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(folder).free / 2**30
    found = Message(f"{folder} 剩余 {free:.1f} GiB", f"{free:.1f} GiB free in {folder}")
    remedy = Message(
        f"至少需要 {_DISK_GIB} GiB；请清理，或用 HEADWATER_HOME 指定别处。",
        f"{_DISK_GIB} GiB are needed; make room, or name another place in HEADWATER_HOME.",
    )
    return Finding("disk", "good", found) if free >= _DISK_GIB else Finding("disk", "bad", found, remedy)


def _memory(home: Home) -> Finding:
    free = psutil.virtual_memory().available / 2**30
    found = Message(f"可用内存 {free:.1f} GiB", f"{free:.1f} GiB of memory available")
    remedy = Message(
        f"完整运行需要 {_MEMORY_GIB} GiB；请关闭其他程序。",
        f"The whole stack takes {_MEMORY_GIB} GiB; close other programs.",
    )
    return Finding("memory", "good", found) if free >= _MEMORY_GIB else Finding("memory", "warn", found, remedy)


def _telemetry(home: Home) -> Finding:
    contrary = sorted(
        name for name, off in TELEMETRY_OFF.items() if os.environ.get(name, off).casefold() != off.casefold()
    )
    if not contrary:
        names = Message(f"{len(TELEMETRY_OFF)} 个开关均为关闭", f"all {len(TELEMETRY_OFF)} switches are off")
        return Finding("telemetry", "good", names)
    told = ", ".join(contrary)
    return Finding(
        "telemetry",
        "bad",
        Message(f"环境变量打开了遥测：{told}", f"The environment switches telemetry on: {told}"),
        Message(f"请取消设置：unset {' '.join(contrary)}", f"Unset them: unset {' '.join(contrary)}"),
    )


def _fonts(home: Home) -> Finding:
    listed = _output("fc-list", ":lang=zh", "family")
    if listed:
        return Finding("fonts", "good", Message("有中文字体", "a Chinese font is installed"))
    return Finding(
        "fonts",
        "warn",
        Message(
            "未发现中文字体：本机截图与 PDF 中的汉字会缺失", "No Chinese font found: pictures made here lack Chinese"
        ),
        Message("apt-get install fonts-noto-cjk", "apt-get install fonts-noto-cjk"),
    )


def _chromium(home: Home) -> Finding:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path:
        return Finding("chromium", "good", Message(f"浏览器 {path}", f"browser {path}"))
    return Finding(
        "chromium",
        "warn",
        Message("未发现 Chromium：浏览器测试会跳过", "No Chromium found: browser tests are skipped"),
        Message("apt-get install chromium", "apt-get install chromium"),
    )


def _dbt(home: Home) -> Finding:
    project = home.project / "dbt_project"
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "--log-path", target, "parse", "--no-partial-parse"]
        command += ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", target]
        # Parsing connects to nothing; the profile only wants its names filled.
        filled = {"DBT_ENV_SECRET_LAKE_CATALOG": "dbname=lake", "HEADWATER_LAKE_DATA": target}
        environment = {**os.environ, **TELEMETRY_OFF, **filled}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_DBT_S, check=False)
    if done.returncode == 0:
        return Finding("dbt", "good", Message("dbt 项目可解析", "the dbt project parses"))
    told = " ".join((done.stdout or done.stderr).split())[:300]
    return Finding(
        "dbt",
        "bad",
        Message(f"dbt 项目无法解析：{told}", f"The dbt project does not parse: {told}"),
        Message("请按提示修改 dbt_project。", "Mend dbt_project as the message says."),
    )


def _references(home: Home) -> Finding:
    if (bare := coding_probes.unreferred(found := coding_probes.coded(home))) is not None:
        return Finding("references", "warn", *bare)
    listed = ", ".join(one.kind for one in found) or "–"
    return Finding("references", "good", Message(f"有参考表：{listed}", f"there are references of {listed}"))


def _matchers(home: Home) -> Finding:
    found = coding_probes.coded(home)
    remedy = Message("请运行 headwater code。", "Run headwater code.")
    if late := ", ".join(coding_probes.behind(found)):
        told = Message(f"参考表已更新而未重新编码：{late}。", f"Not coded anew under the reference in force: {late}.")
        return Finding("matchers", "warn", told, remedy)
    if gone := ", ".join(coding_probes.unfitted(home, found)):
        told = Message(f"匹配器缺失或损坏：{gone}。", f"The matcher is missing or damaged: {gone}.")
        return Finding(
            "matchers", "warn", told, Message("请运行 headwater code --anew。", "Run headwater code --anew.")
        )
    return Finding("matchers", "good", Message("匹配器与参考表一致", "matchers agree with the references"))


def _events(home: Home) -> Finding:
    with postgres.connect(home) as connection:
        found = inbox.counts(connection)
    if aside := found["aside"]:
        told = Message(f"有 {aside} 个事件被搁置。", f"{aside} events were set aside.")
        remedy = Message(
            "查看原因：headwater events list --state aside。", "See why: headwater events list --state aside."
        )
        return Finding("events", "warn", told, remedy)
    waiting = found["waiting"]
    return Finding("events", "good", Message(f"等待的事件：{waiting}", f"events waiting: {waiting}"))


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout


def _told(probe: Callable[[Home], Finding], name: str) -> Callable[[Home], Finding]:
    """Let a probe that is refused by headwater itself tell that as its finding."""

    def look(home: Home) -> Finding:
        try:
            return probe(home)
        except HeadwaterError as error:
            return Finding(name, "bad", error.reason, error.remedy)
        except (psycopg.Error, duckdb.Error) as error:
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            return Finding(
                name,
                "bad",
                Message(f"无法查看：{told}", f"This cannot be looked at: {told}"),
                Message("先修复 postgres 一项。", "Mend what is said of postgres first."),
            )

    return look


PROBES: dict[str, Callable[[Home], Finding]] = {
    name: _told(probe, name)
    for name, probe in {
        "python": _python,
        "lock": _lock,
        "extensions": _extensions,
        "postgres": _postgres,
        "ports": _ports,
        "disk": _disk,
        "memory": _memory,
        "telemetry": _telemetry,
        "fonts": _fonts,
        "chromium": _chromium,
        "dbt": _dbt,
        "references": _references,
        "matchers": _matchers,
        "events": _events,
    }.items()
}
"""Every probe by name, in the order in which they are told."""
