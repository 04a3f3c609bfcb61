"""Putting one table in the place of another, in one short transaction, and keeping the other."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import errors, sql

from vectorops.database.carrying import carry, carry_identities, oid
from vectorops.database.replaceable import check_replaceable
from vectorops.database.side_tables import create_schema, drop, run_all, search_path, side_table
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError

# While the swap waits, readers that come after it wait too: so it does not wait long, and tries often. But an
# autovacuum gives way only to one who has waited for deadlock_timeout (PostgreSQL manual, "The Autovacuum
# Daemon"), so now and then it waits longer than that.
_LOCK_TIMEOUT = timedelta(milliseconds=500)
_PATIENT_ATTEMPT = 4
_DEADLOCK_TIMEOUT = "SELECT current_setting('deadlock_timeout')::interval"
SWAP_PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 2.0

_OF_TABLE = {
    # Whoever reads a view locks it before its tables, so it is locked first here too: to give it the owner
    # it has does no more than that.
    "views": """
SELECT DISTINCT format('ALTER VIEW %%I.%%I OWNER TO %%I', nspname, relname, pg_get_userbyid(relowner))
{views}
""",
    "new_views": """
SELECT DISTINCT format('CREATE OR REPLACE VIEW %%I.%%I %%s AS %%s', nspname, relname,
    (SELECT 'WITH (' || string_agg(format('%%I = %%L', option_name, option_value), ', ') || ')'
        FROM pg_options_to_table(reloptions)), pg_get_viewdef(v.oid))
{views}
""",
    "leave_publications": """
SELECT format('ALTER PUBLICATION %%I DROP TABLE %%s', pubname, %(name)s::text)
FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = %(oid)s
""",
    "join_publications": """
SELECT format('ALTER PUBLICATION %%I ADD TABLE %%s%%s%%s', pubname, %(name)s::text,
    (SELECT format(' (%%s)', string_agg(quote_ident(attname), ', ' ORDER BY attnum)) FROM pg_attribute
        WHERE attrelid = prrelid AND attnum = ANY (prattrs::int2[]) HAVING count(*) > 0),
    format(' WHERE (%%s)', nullif(pg_get_expr(prqual, prrelid), '')))
FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = %(oid)s
""",
    # A sequence of a serial column serves both tables, and belongs to the one in use.
    "leave_sequences": "SELECT format('ALTER SEQUENCE %%I.%%I OWNED BY NONE', nspname, relname) {sequences}",
    "join_sequences": """
SELECT format('ALTER SEQUENCE %%I.%%I OWNED BY %%s.%%I', nspname, relname, %(name)s::text, attname)
{sequences}
""",
}
_FROM = {
    "views": """
FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
JOIN pg_namespace ns ON ns.oid = v.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = %(oid)s
    AND v.relkind = 'v'
""",
    "sequences": """
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace ns ON ns.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = %(oid)s
    AND d.deptype = 'a'
""",
}
_STATISTICS = """
SELECT stxname FROM pg_statistic_ext JOIN pg_namespace n ON n.oid = stxnamespace
WHERE stxrelid = %(table)s AND nspname = %(schema)s
"""
_HOLDERS = """
SELECT DISTINCT format('%%s (%%s, process %%s)', a.usename, coalesce(nullif(a.application_name, ''), '?'),
    a.pid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.relation = %s AND l.granted AND a.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def swap(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    incoming: VectorTable,
    *,
    check: Callable[[], None] = lambda: None,
    patience_s: float = SWAP_PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Put `incoming` in the place of `table`, which is kept, in place of one that was kept before.

    Readers find the one or the other. Owner, grants, options, comment, triggers and row policies are carried
    over as they are now; views and publications are led to the new table. The locks that this takes stay
    until the caller's transaction ends, if there is one: it should end at once.

    Args:
        connection: From `connect`.
        table: The one in use.
        incoming: A table of the same columns, in a schema of its own.
        check: Called when nobody else can change the tables any more; what it raises ends the swap.
        patience_s: How long to try while others use the table all the time, in seconds.
        sleep: Waits between two attempts.

    Raises:
        DatabaseError: The table cannot be replaced, or was in use all the time. Nothing has changed.
        psycopg.Error: PostgreSQL refused. Nothing has changed.
    """
    deadline = time.monotonic() + patience_s
    pause = 0.05
    for attempt in count(1):
        try:
            with connection.transaction():
                _limit_waiting(connection, attempt)
                _lock(connection, table, incoming)
                connection.execute("SET LOCAL lock_timeout = 0")
                check_replaceable(connection, table)
                check()
                _exchange(connection, table, incoming)
            return
        except (errors.LockNotAvailable, errors.DeadlockDetected) as exc:
            if time.monotonic() > deadline:
                raise _in_use(connection, table) from exc
        sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - not for secrets
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _limit_waiting(connection: psycopg.Connection[Any], attempt: int) -> None:
    timeout = _LOCK_TIMEOUT
    if attempt % _PATIENT_ATTEMPT == 0:
        [deadlock_timeout] = connection.execute(_DEADLOCK_TIMEOUT).fetchone() or (timedelta(),)
        timeout += deadlock_timeout
    milliseconds = round(timeout / timedelta(milliseconds=1))
    connection.execute(f"SET LOCAL lock_timeout = {milliseconds}".encode())


def _lock(connection: psycopg.Connection[Any], table: VectorTable, incoming: VectorTable) -> None:
    run_all(connection, _statements(connection, table, "views"))
    tables = sql.SQL(", ").join([table.qualified, incoming.qualified])
    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(tables))


def _exchange(connection: psycopg.Connection[Any], table: VectorTable, incoming: VectorTable) -> None:
    carry(connection, table, incoming)
    carry_identities(connection, table, incoming)
    after = [*_statements(connection, table, "join_sequences"), *_statements(connection, table, "new_views")]
    run_all(connection, _statements(connection, table, "leave_sequences"))
    joins = _statements(connection, table, "join_publications")
    run_all(connection, _statements(connection, table, "leave_publications"))
    _move(connection, table, incoming)
    run_all(connection, after + joins)


def _move(connection: psycopg.Connection[Any], table: VectorTable, incoming: VectorTable) -> None:
    """Let the tables change places; what `table` was is kept."""
    kept = side_table(table, "kept")
    swapping = f"vectorops_swapping_{oid(connection, table)}"
    create_schema(connection, swapping)
    _set_schema(connection, table, swapping)
    _set_schema(connection, incoming, table.schema)
    drop(connection, kept)
    create_schema(connection, kept.schema)
    _set_schema(connection, replace(table, schema=swapping), kept.schema)
    # All that can be left in it are statistics objects whose names are taken where they should go.
    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(swapping)))


def _set_schema(connection: psycopg.Connection[Any], table: VectorTable, schema: str) -> None:
    statement = sql.SQL("ALTER TABLE {} SET SCHEMA {}")
    values = {"table": oid(connection, table), "schema": table.schema}
    statistics = connection.execute(_STATISTICS, values).fetchall()
    connection.execute(statement.format(table.qualified, sql.Identifier(schema)))
    # Unlike indexes, they stay where they are when their table goes.
    statement = sql.SQL("ALTER STATISTICS {} SET SCHEMA {}")
    for (name,) in statistics:
        with suppress(errors.DuplicateObject, errors.InsufficientPrivilege), connection.transaction():
            connection.execute(statement.format(sql.Identifier(table.schema, name), sql.Identifier(schema)))


def _statements(connection: psycopg.Connection[Any], table: VectorTable, kind: str) -> list[str]:
    values = {"oid": oid(connection, table), "name": table.qualified.as_string(connection)}
    query = _OF_TABLE[kind].format(**_FROM)
    with search_path(connection, "pg_catalog"):  # All other names are printed with their schemas.
        return [row[0] for row in connection.execute(query.encode(), values)]


def _in_use(connection: psycopg.Connection[Any], table: VectorTable) -> DatabaseError:
    holders = [row[0] for row in connection.execute(_HOLDERS, (oid(connection, table),))]
    return DatabaseError(
        f"'{table.full_name}' was in use all the time, so nothing was put in its place",
        why=f"held by {', '.join(holders)}" if holders else "",
        hint="end long transactions on it, then try again",
    )
