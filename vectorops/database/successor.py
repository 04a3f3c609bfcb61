"""The table that is to replace another one: made like it, filled, indexed, and checked."""

from typing import Any

import psycopg
from psycopg import sql

from vectorops.database.carrying import carry_identities, carry_triggers, oid
from vectorops.database.index_build import BuildSettings, session_settings
from vectorops.database.side_tables import create_schema, drop, run_all, search_path, side_table
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError

_CREATE = """
SELECT format('CREATE %%s TABLE %%s (LIKE %%s INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)
    USING %%I%%s',
    CASE relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END, %(name)s::text, c.oid::regclass, amname,
    (SELECT format(' TABLESPACE %%I', spcname) FROM pg_tablespace s WHERE s.oid = c.reltablespace))
FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = %(old)s
"""
# Loading looks for ids that are given twice by the first of these; the other kinds of index can wait.
_KEYS = """
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %(name)s::text, conname,
    pg_get_constraintdef(oid, true))
FROM pg_constraint WHERE conrelid = %(old)s AND contype IN ('p', 'u', 'x') ORDER BY contype, conname
"""
_INDEXES = """
SELECT pg_get_indexdef(indexrelid, 0, true) FROM pg_index i
WHERE indrelid = %(old)s AND indisvalid
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND conrelid = i.indrelid)
ORDER BY indexrelid
"""
_FINISH = """
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %(name)s::text, conname,
    pg_get_constraintdef(oid, true))
FROM pg_constraint WHERE conrelid = %(old)s AND contype = 'f'
UNION ALL
SELECT format('COMMENT ON INDEX %%I.%%I IS %%L', %(schema)s::text, relname, obj_description(oid, 'pg_class'))
FROM pg_class JOIN pg_index ON indexrelid = oid
WHERE indrelid = %(old)s AND indisvalid AND obj_description(oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT format('COMMENT ON CONSTRAINT %%I ON %%s IS %%L', conname, %(name)s::text,
    obj_description(oid, 'pg_constraint'))
FROM pg_constraint WHERE conrelid = %(old)s AND contype IN ('p', 'u', 'x', 'f')
    AND obj_description(oid, 'pg_constraint') IS NOT NULL
UNION ALL
SELECT format('ALTER INDEX %%I.%%I ALTER COLUMN %%s SET STATISTICS %%s', %(schema)s::text, relname, attnum,
    attstattarget)
FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_attribute ON attrelid = indexrelid
WHERE indrelid = %(old)s AND indisvalid AND attstattarget >= 0
UNION ALL
SELECT format('ALTER TABLE %%s CLUSTER ON %%I', %(name)s::text, relname)
FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = %(old)s AND indisvalid AND indisclustered
"""
# LIKE gives them other names. What lies in another schema than its table keeps out of the way without one.
_STATISTICS = """
SELECT replace(pg_get_statisticsobjdef(s.oid), format('CREATE STATISTICS %%I.%%I', nspname, stxname),
    'CREATE STATISTICS ' || CASE WHEN nspname = %(old_schema)s
        THEN format('%%I.%%I', %(schema)s::text, stxname) ELSE '' END)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace WHERE stxrelid = %(old)s
UNION ALL
SELECT format('ALTER STATISTICS %%I.%%I SET STATISTICS %%s', %(schema)s::text, stxname, stxstattarget)
FROM pg_statistic_ext JOIN pg_namespace n ON n.oid = stxnamespace
WHERE stxrelid = %(old)s AND nspname = %(old_schema)s AND stxstattarget >= 0
UNION ALL
SELECT format('COMMENT ON STATISTICS %%I.%%I IS %%L', %(schema)s::text, stxname, description)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace,
    obj_description(s.oid, 'pg_statistic_ext') AS description
WHERE stxrelid = %(old)s AND nspname = %(old_schema)s AND description IS NOT NULL
"""
_COLUMNS = """
SELECT array_agg(ROW(attname, atttypid, atttypmod, attnotnull, attgenerated)::text ORDER BY attname)
FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
"""
_CONSTRAINT_NAMES = """
SELECT coalesce(array_agg(conname::text ORDER BY conname), '{}')
FROM pg_constraint WHERE conrelid = %s AND contype <> 't'
"""
_INDEX_NAMES = """
SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}')
FROM pg_index JOIN pg_class ON oid = indexrelid
WHERE indrelid = %s AND indisvalid AND indisready
"""


def create_successor(connection: psycopg.Connection[Any], table: VectorTable) -> VectorTable:
    """Create an empty table like `table`, with its keys and triggers and without its other indexes.

    What an earlier, interrupted load has left in its place goes.
    """
    new = side_table(table, "new")
    create_schema(connection, new.schema)
    drop(connection, new)
    _run(connection, table, new, _CREATE)
    _run(connection, table, new, _KEYS)
    carry_triggers(connection, table, new)
    carry_identities(connection, table, new)
    return new


def complete_successor(
    connection: psycopg.Connection[Any], table: VectorTable, new: VectorTable, settings: BuildSettings
) -> None:
    """Give the filled `new` the indexes, foreign keys and statistics objects of `table`, and analyse it.

    The caller's transaction is under way.
    """
    for name, value in session_settings(settings).items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))
    _run(connection, table, new, _INDEXES)
    _run(connection, table, new, _FINISH)
    _run(connection, table, new, _STATISTICS)
    connection.execute(sql.SQL("ANALYZE {}").format(new.qualified))


def check_successor(connection: psycopg.Connection[Any], table: VectorTable, new: VectorTable) -> None:
    """Make sure that nobody misses anything when `new` is in the place of `table`.

    Raises:
        DatabaseError: The columns, indexes or constraints of `table` have been changed since `new` was made.
    """
    if _one(connection, _COLUMNS, table) != _one(connection, _COLUMNS, new):
        raise _changed(table, "its columns were changed meanwhile")
    for kind, query in (("index", _INDEX_NAMES), ("constraint", _CONSTRAINT_NAMES)):
        missing = set(_one(connection, query, table)) - set(_one(connection, query, new))
        if missing:
            raise _changed(table, f"it got another {kind} meanwhile: {', '.join(sorted(missing))}")


def _changed(table: VectorTable, why: str) -> DatabaseError:
    return DatabaseError(f"'{table.full_name}' was not replaced", why=why, hint="load again")


def _one(connection: psycopg.Connection[Any], query: str, table: VectorTable) -> list[str]:
    row = connection.execute(query.encode(), (oid(connection, table),)).fetchone()
    return list(row[0]) if row else []


def _run(connection: psycopg.Connection[Any], old: VectorTable, new: VectorTable, query: str) -> None:
    values = {
        "old": oid(connection, old),
        "old_schema": old.schema,
        "name": new.qualified.as_string(connection),
        "schema": new.schema,
    }
    with search_path(connection, old.schema):
        statements = [row[0] for row in connection.execute(query.encode(), values)]
    with search_path(connection, new.schema, old.schema):
        run_all(connection, statements)
