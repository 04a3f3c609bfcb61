"""Making one table like another in what is not its columns and rows: owner, grants, triggers, policies."""

from typing import Any

import psycopg

from vectorops.database.side_tables import run_all, search_path
from vectorops.database.tables import VectorTable

# Each query prints the statements that make table `new`, called `name`, like table `old`.
_TABLES = (
    "(SELECT * FROM pg_class WHERE oid = %(old)s) AS o, (SELECT * FROM pg_class WHERE oid = %(new)s) AS n"
)
_ROLE = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
_GRANT_OPTION = "CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
_OWNER = f"""
SELECT unnest(ARRAY[
    format('GRANT USAGE, CREATE ON SCHEMA %%s TO %%I', n.relnamespace::regnamespace::text, owner),
    format('ALTER TABLE %%s OWNER TO %%I', %(name)s::text, owner)])
FROM {_TABLES}, pg_get_userbyid(o.relowner) AS owner WHERE o.relowner <> n.relowner
"""  # noqa: S608 - parts of this file
_REVOKE = f"""
SELECT DISTINCT format('REVOKE ALL ON %%s FROM %%s CASCADE', %(name)s::text, {_ROLE})
FROM {_TABLES}, aclexplode(coalesce(n.relacl, acldefault('r', n.relowner)))
WHERE o.relacl IS NOT NULL OR n.relacl IS NOT NULL
"""  # noqa: S608 - parts of this file
_GRANT = f"""
SELECT format('GRANT %%s ON %%s TO %%s%%s', privilege_type, %(name)s::text, {_ROLE}, {_GRANT_OPTION})
FROM {_TABLES}, aclexplode(coalesce(o.relacl, acldefault('r', o.relowner)))
WHERE o.relacl IS NOT NULL OR n.relacl IS NOT NULL
"""  # noqa: S608 - parts of this file
_GRANT_COLUMNS = f"""
SELECT format('GRANT %%s (%%I) ON %%s TO %%s%%s', privilege_type, attname, %(name)s::text, {_ROLE},
    {_GRANT_OPTION})
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = %(old)s AND NOT attisdropped
"""  # noqa: S608 - parts of this file
_OPTIONS = """
SELECT format('ALTER TABLE %%s SET (%%s%%I = %%L)', %(name)s::text, prefix, option_name, option_value)
FROM (SELECT '' AS prefix, reloptions FROM pg_class WHERE oid = %(old)s
    UNION ALL SELECT 'toast.', reloptions FROM pg_class
    WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = %(old)s)) AS o,
    pg_options_to_table(reloptions)
UNION ALL
SELECT format('ALTER TABLE %%s ALTER COLUMN %%I SET STATISTICS %%s', %(name)s::text, attname, attstattarget)
FROM pg_attribute WHERE attrelid = %(old)s AND attnum > 0 AND NOT attisdropped AND attstattarget >= 0
UNION ALL
SELECT format('ALTER TABLE %%s ALTER COLUMN %%I SET (%%I = %%L)', %(name)s::text, attname, option_name,
    option_value)
FROM pg_attribute, pg_options_to_table(attoptions) WHERE attrelid = %(old)s AND NOT attisdropped
"""
_COMMENT = """
SELECT format('COMMENT ON TABLE %%s IS %%L', %(name)s::text, obj_description(%(old)s, 'pg_class'))
WHERE obj_description(%(old)s, 'pg_class') IS DISTINCT FROM obj_description(%(new)s, 'pg_class')
UNION ALL
SELECT format('COMMENT ON COLUMN %%s.%%I IS %%L', %(name)s::text, attname, col_description(%(old)s, o.attnum))
FROM pg_attribute o JOIN pg_attribute n USING (attname)
WHERE o.attrelid = %(old)s AND n.attrelid = %(new)s AND o.attnum > 0 AND NOT o.attisdropped
    AND col_description(%(old)s, o.attnum) IS DISTINCT FROM col_description(%(new)s, n.attnum)
"""
_REPLICA_IDENTITY = """
SELECT format('ALTER TABLE %%s REPLICA IDENTITY %%s', %(name)s::text,
    CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'd' THEN 'DEFAULT'
    ELSE format('USING INDEX %%I', (SELECT relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = %(old)s AND i.indisreplident)) END)
FROM pg_class WHERE oid = %(old)s
"""
_DROP_TRIGGERS = """
SELECT format('DROP TRIGGER %%I ON %%s', tgname, %(name)s::text)
FROM pg_trigger WHERE tgrelid = %(new)s AND NOT tgisinternal
"""
_TRIGGERS = """
SELECT pg_get_triggerdef(oid, true) FROM pg_trigger WHERE tgrelid = %(old)s AND NOT tgisinternal
UNION ALL
SELECT format('ALTER TABLE %%s %%s TRIGGER %%I', %(name)s::text,
    CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, tgname)
FROM pg_trigger WHERE tgrelid = %(old)s AND NOT tgisinternal AND tgenabled <> 'O'
UNION ALL
SELECT format('COMMENT ON TRIGGER %%I ON %%s IS %%L', tgname, %(name)s::text, description)
FROM pg_trigger t, obj_description(t.oid, 'pg_trigger') AS description
WHERE tgrelid = %(old)s AND description IS NOT NULL
"""
_DROP_POLICIES = """
SELECT format('DROP POLICY %%I ON %%s', polname, %(name)s::text) FROM pg_policy WHERE polrelid = %(new)s
"""
_POLICIES = """
SELECT format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', polname, %(name)s::text,
    CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
        ELSE 'ALL' END,
    (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ')
        FROM unnest(polroles) AS role),
    ' USING (' || pg_get_expr(polqual, polrelid) || ')',
    ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
FROM pg_policy WHERE polrelid = %(old)s
UNION ALL
SELECT format('ALTER TABLE %%s %%s ROW LEVEL SECURITY, %%s ROW LEVEL SECURITY', %(name)s::text,
    CASE WHEN relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
    CASE WHEN relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END)
FROM pg_class WHERE oid = %(old)s
UNION ALL
SELECT format('COMMENT ON POLICY %%I ON %%s IS %%L', polname, %(name)s::text, description)
FROM pg_policy p, obj_description(p.oid, 'pg_policy') AS description
WHERE polrelid = %(old)s AND description IS NOT NULL
"""
_IDENTITY_COLUMNS = """
SELECT attname, pg_get_serial_sequence(%(name)s, attname) FROM pg_attribute
WHERE attrelid = %(oid)s AND attidentity <> ''
"""
_ADVANCE = """
SELECT setval(%s, greatest(o.last_value, n.last_value),
    o.is_called AND o.last_value >= n.last_value OR n.is_called AND n.last_value >= o.last_value)
FROM {old} AS o, {new} AS n
"""
_ALL = (
    *(_OWNER, _REVOKE, _GRANT, _GRANT_COLUMNS, _OPTIONS, _COMMENT, _REPLICA_IDENTITY),
    *(_DROP_TRIGGERS, _TRIGGERS, _DROP_POLICIES, _POLICIES),
)


def carry(connection: psycopg.Connection[Any], old: VectorTable, new: VectorTable) -> None:
    """Give `new` the owner, grants, options, comments, triggers and row policies of `old`, and no others.

    Only the catalog is written. The caller's transaction is under way.
    """
    _carry(connection, old, new, _ALL)


def carry_triggers(connection: psycopg.Connection[Any], old: VectorTable, new: VectorTable) -> None:
    """Give `new` the triggers of `old`, and no others."""
    _carry(connection, old, new, (_DROP_TRIGGERS, _TRIGGERS))


def carry_identities(connection: psycopg.Connection[Any], old: VectorTable, new: VectorTable) -> None:
    """Let the identity columns of `new` go on where those of both tables have got to."""
    sequences = [_identity_sequences(connection, table) for table in (old, new)]
    for column, sequence in sequences[1].items():
        statement = _ADVANCE.format(old=sequences[0][column], new=sequence)
        connection.execute(statement.encode(), (sequence,))


def _identity_sequences(connection: psycopg.Connection[Any], table: VectorTable) -> dict[str, str]:
    values = {"name": table.qualified.as_string(connection), "oid": oid(connection, table)}
    return dict(connection.execute(_IDENTITY_COLUMNS, values).fetchall())


def _carry(
    connection: psycopg.Connection[Any], old: VectorTable, new: VectorTable, queries: tuple[str, ...]
) -> None:
    name = new.qualified.as_string(connection)
    values = {"old": oid(connection, old), "new": oid(connection, new), "name": name}
    for query in queries:
        with search_path(connection, old.schema):
            statements = [row[0] for row in connection.execute(query.encode(), values)]
        with search_path(connection, new.schema, old.schema):
            run_all(connection, statements)


def oid(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    """Return the number that PostgreSQL knows `table` by."""
    name = table.qualified.as_string(connection)
    row = connection.execute("SELECT %s::regclass::oid::bigint", (name,)).fetchone()
    return int(row[0]) if row else 0
