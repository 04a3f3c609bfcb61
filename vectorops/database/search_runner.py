"""Running searches on a connection: their settings, the plan that PostgreSQL chooses, and the rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from vectorops.database.search_options import SearchPlan

_NAMES = ("hnsw.ef_search", "hnsw.iterative_scan")
_SETTINGS = "SELECT set_config('hnsw.ef_search', %s, true)"
# Relaxed order keeps what a later round of the scan finds nearer than an earlier one; rows are sorted anyway.
_ITERATIVE = f"{_SETTINGS}, set_config('hnsw.iterative_scan', 'relaxed_order', true)"


@dataclass(frozen=True)
class Explained:
    """What PostgreSQL reads for a search.

    Attributes:
        index: The one whose order it follows, or None.
        reads_every_row: Whether it compares all rows of the table.
        is_new: Whether it was asked just now, and not at an earlier search.
    """

    index: str | None
    reads_every_row: bool
    is_new: bool


class SearchRunner:
    """Runs search statements, each in one round trip that leaves no setting on the connection.

    Args:
        connection: Knows the vector types. Used by one thread at a time.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._explained: dict[str, Explained] = {}
        self._held: int | None = None

    def run(self, plan: SearchPlan, text: str, parameters: Mapping[str, Any]) -> tuple[list[Any], Explained]:
        """Return the rows of `text`, and what was read for them.

        Raises:
            psycopg.Error: PostgreSQL refused.
        """
        # A filter's value decides the plan, so the plan is asked for each time, and the statement is not
        # prepared: PostgreSQL may give a prepared statement another one.
        has_filters = bool(plan.shape.filters)
        known = None if has_filters else self._explained.get(text)
        execute = self._connection.execute
        with self._settings(plan):
            asked = None if known else execute(_explain(text), parameters, prepare=False)
            cursor = execute(text, parameters, binary=True, prepare=not has_filters)
        if known:
            return cursor.fetchall(), known
        index, reads_every_row = _read_plan(_plan_of(asked))
        self._explained[text] = Explained(index, reads_every_row, is_new=False)
        return cursor.fetchall(), Explained(index, reads_every_row, is_new=True)

    def explain(self, plan: SearchPlan, text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plan of `text`, as `EXPLAIN (VERBOSE, FORMAT JSON)` gives it.

        Raises:
            psycopg.Error: PostgreSQL refused.
        """
        with self._settings(plan):
            cursor = self._connection.execute(_explain(text), parameters)
        return _plan_of(cursor)

    def forget(self) -> None:
        """Ask for plans anew."""
        self._explained.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Leave the settings of a search on the connection until the block ends: a search is one statement.

        For a connection that nobody else searches with meanwhile, and that is no transaction pooler's, whose
        statements may go to another server process.
        """
        before = [
            self._connection.execute("SELECT current_setting(%s, true)", (one,)).fetchone() for one in _NAMES
        ]
        self._held = 0
        try:
            yield
        finally:
            self._held = None
            for name, value in zip(_NAMES, before, strict=True):
                if value and value[0]:
                    self._connection.execute("SELECT set_config(%s, %s, false)", (name, value[0]))

    @contextmanager
    def _settings(self, plan: SearchPlan) -> Iterator[None]:
        """Search with the ef_search of `plan`, which ends with the block, in one round trip if it can be."""
        connection, statement = self._connection, _ITERATIVE if plan.can_iterate else _SETTINGS
        if self._held is not None:
            if self._held != plan.ef_search:
                connection.execute(statement.replace("true)", "false)"), (str(plan.ef_search),))
                self._held = plan.ef_search
            yield
            return
        is_alone = connection.info.transaction_status == TransactionStatus.IDLE and connection.autocommit
        # What a pipeline sends up to its end is one transaction. A rollback undoes the settings inside a
        # caller's transaction, where they would otherwise stay on.
        scope = connection.pipeline() if is_alone else connection.transaction(force_rollback=True)
        with scope:
            connection.execute(statement, (str(plan.ef_search),))
            yield


def _explain(text: str) -> str:
    return f"EXPLAIN (VERBOSE, FORMAT JSON) {text}"


def _plan_of(cursor: psycopg.Cursor[Any] | None) -> dict[str, Any]:
    row = cursor.fetchone() if cursor else None
    return dict(row[0][0]["Plan"]) if row else {}


def _read_plan(plan: dict[str, Any]) -> tuple[str | None, bool]:
    nodes = list(_nodes(plan))
    ordered = (
        node["Index Name"] for node in nodes if node["Node Type"] == "Index Scan" and "Order By" in node
    )
    # The rows that are searched, not the one whose vector they are compared with.
    scans = [node["Node Type"] for node in nodes if node.get("Alias", "").startswith("stored")]
    return next(ordered, None), "Seq Scan" in scans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
