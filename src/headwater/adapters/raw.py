"""The raw tables of the lake: one a canonical entity, and the quarantine."""

import duckdb

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import Contract
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, raw_columns

__all__ = ["create_tables", "forget_batches", "register_hospital"]


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the raw tables that are missing; many processes may call it at once."""
    wanted = {name: raw_columns(entity) for name, entity in ENTITIES.items()}
    wanted |= {"quarantine": QUARANTINE_COLUMNS, "cleaned": CLEANED_COLUMNS}
    if set(wanted) <= _present(connection):
        return
    # The catalog resolves a race of two identical CREATE TABLEs by failing one of them, so they queue instead.
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.raw'))")
        for name, columns in wanted.items():
            body = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            connection.execute(f"CREATE TABLE IF NOT EXISTS lake.raw.{name} ({body})")


def _present(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'lake' AND table_schema = 'raw'"
    ).fetchall()
    return {row[0] for row in rows}


def forget_batches(connection: duckdb.DuckDBPyConnection, entity: str, batch_ids: list[str]) -> None:
    """Remove what an interrupted load may have left of these batches."""
    parameters = {"batches": batch_ids, "entity": entity}
    connection.execute(
        f"DELETE FROM lake.raw.{ENTITIES[entity].name} WHERE list_contains($batches, batch_id)", {"batches": batch_ids}
    )
    connection.execute(
        "DELETE FROM lake.raw.quarantine WHERE entity = $entity AND list_contains($batches, batch_id)", parameters
    )


def register_hospital(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Write the hospital that a contract declares into ``raw.hospital``, if it is not there in these words."""
    declared = dict(contract.hospital)
    if "code" not in declared:
        return
    row = [
        contract.source_id,
        "contract",
        0,
        declared["code"],
        contract.title.zh,
        contract.title.en,
        declared.get("level"),
        declared.get("city"),
        declared.get("region"),
        contract.currency,
        contract.origin,
    ]
    held = connection.execute(
        "SELECT * FROM lake.raw.hospital WHERE source_id = $1 AND fixmedins_code = $2", [row[0], row[3]]
    ).fetchall()
    if held == [tuple(row)]:
        return
    if held:
        connection.execute(
            "DELETE FROM lake.raw.hospital WHERE source_id = $1 AND fixmedins_code = $2", [row[0], row[3]]
        )
    connection.execute(f"INSERT INTO lake.raw.hospital VALUES ({', '.join('?' * len(row))})", row)
