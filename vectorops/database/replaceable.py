"""What stands in the way of putting another table in a table's place."""

from typing import Any

import psycopg

from vectorops.database.carrying import oid
from vectorops.database.side_tables import exists, side_table
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError

_KIND = """
SELECT CASE
    WHEN NOT pg_has_role(relowner, 'USAGE') THEN 'it belongs to ' || pg_get_userbyid(relowner)
    WHEN relkind <> 'r' THEN 'it is partitioned'
    WHEN relispartition OR EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent))
        THEN 'it inherits from another table, or another from it'
    WHEN relpersistence = 't' THEN 'it is a temporary table'
    WHEN EXISTS (SELECT FROM pg_rewrite WHERE ev_class = c.oid) THEN 'it has rules'
    WHEN EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND deptype = 'e') THEN 'it is part of an extension'
    END
FROM pg_class c WHERE oid = %s
"""
# Everything that refers to a table by its number rather than its name, less what can be carried over.
_DEPENDENTS = """
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class v ON v.oid = r.ev_class
WHERE d.deptype <> 'i' AND (
    d.refclassid = 'pg_class'::regclass AND d.refobjid = %(oid)s
    OR d.refclassid = 'pg_type'::regclass
        AND d.refobjid IN (SELECT unnest(ARRAY[oid, typarray]) FROM pg_type WHERE typrelid = %(oid)s))
AND NOT (
    d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND c.relkind IN ('i', 'S')
    OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = %(oid)s)
    OR d.classid = 'pg_constraint'::regclass AND d.objid IN (
        SELECT oid FROM pg_constraint WHERE conrelid = %(oid)s AND confrelid <> %(oid)s)
    OR d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM pg_trigger WHERE tgrelid = %(oid)s)
    OR d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT oid FROM pg_policy WHERE polrelid = %(oid)s)
    OR d.classid = 'pg_statistic_ext'::regclass
    OR d.classid = 'pg_publication_rel'::regclass AND (
        SELECT pg_has_role(pubowner, 'USAGE')
        FROM pg_publication_rel pr JOIN pg_publication p ON p.oid = prpubid WHERE pr.oid = d.objid)
    OR coalesce(v.relkind = 'v' AND v.relpersistence <> 't' AND r.ev_type = '1'
        AND pg_has_role(v.relowner, 'USAGE'), false) AND %(with_views)s)
"""


def check_replaceable(connection: psycopg.Connection[Any], table: VectorTable) -> None:
    """Make sure that all which hangs on `table` can be carried over to another one in its place.

    Raises:
        DatabaseError: It cannot; the message names what cannot be.
    """
    number = oid(connection, table)
    [obstacle] = connection.execute(_KIND.encode(), (number,)).fetchone() or (None,)
    if obstacle:
        raise _refusal(table, obstacle, "load with --mode upsert")
    if found := _dependents(connection, number, with_views=True):
        raise _refusal(
            table, f"what depends on it cannot be led to another table: {', '.join(found)}", "drop that first"
        )
    kept = side_table(table, "kept")
    users = (
        _dependents(connection, oid(connection, kept), with_views=False) if exists(connection, kept) else []
    )
    if users:
        raise _refusal(table, f"the table kept before is in use: {', '.join(users)}", "drop that first")


def _dependents(connection: psycopg.Connection[Any], number: int, *, with_views: bool) -> list[str]:
    rows = connection.execute(_DEPENDENTS.encode(), {"oid": number, "with_views": with_views}).fetchall()
    return sorted(description for (description,) in rows)


def _refusal(table: VectorTable, why: str, hint: str) -> DatabaseError:
    return DatabaseError(f"'{table.full_name}' cannot be replaced", why=why, hint=hint)
