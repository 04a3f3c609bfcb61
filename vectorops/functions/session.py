"""A warm function's way to the database: one connection, mended when it breaks, never waited for too long."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg import errors, sql

from vectorops.database.connection import DatabaseAddress, first_line, log_in, register_vector_types
from vectorops.errors import DatabaseError
from vectorops.functions.deadline import Deadline
from vectorops.recommender.catalogue_table import Rows, Statement

T = TypeVar("T")
Connection = psycopg.Connection[Any]

# libpq waits two seconds at least.
_MIN_CONNECT_S, _MAX_CONNECT_S = 2, 5
_PAUSE_S = 1.0
# The server's own timeout comes first, since it says more than a closed connection.
_GRACE_S = 0.25


class Session:
    """Runs statements on a connection that is kept from one invocation to the next.

    It leaves nothing on the server that outlives a transaction, as RDS Proxy and transaction poolers need it:
    settings are local and statements are not prepared. A lost connection is opened again with a login that is
    read anew.

    Args:
        address: Returns where the database is, with a login it has just read: AWS rotates it.
        is_patient: Whether a lost database is tried again until the deadline, instead of once.

    Attributes:
        deadline: When waiting ends; set at the start of each invocation.
    """

    def __init__(self, address: Callable[[], DatabaseAddress], *, is_patient: bool) -> None:
        self._address = address
        self._is_patient = is_patient
        self._connection: Connection | None = None
        self.deadline = Deadline(0)

    def query(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run `statements` in one transaction and one round trip; return the rows of each.

        Raises:
            DatabaseError: The database cannot be reached, refused, or did not answer in time.
            AwsError: The login cannot be read.
        """
        return self.use(lambda connection: _in_one_round_trip(connection, statements, self._left_s()))

    def use(self, work: Callable[[Connection], T]) -> T:
        """Return what `work`, which may be tried again, makes of the connection.

        Raises:
            DatabaseError: The database cannot be reached, refused, or did not answer in time.
            AwsError: The login cannot be read.
        """
        attempt = 0
        while True:
            try:
                connection = self._open()
                with _cut_off(connection, self._left_s() + _GRACE_S):
                    return work(connection)
            except (psycopg.Error, DatabaseError) as exc:
                self.close()
                if not (_is_lost(exc) and self._may_try_again(attempt)):
                    _raise_database_error(exc)
            attempt += 1
            if attempt > 1:
                time.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the connection; the next statement opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            timeout_s = max(_MIN_CONNECT_S, min(_MAX_CONNECT_S, int(self._left_s())))
            self._connection = log_in(self._address(), connect_timeout_s=timeout_s)
            self._connection.prepare_threshold = None
            # A pooler logs in by itself, and may have no server for what is asked.
            with _cut_off(self._connection, self._left_s() + _GRACE_S):
                register_vector_types(self._connection)
        return self._connection

    def _may_try_again(self, attempt: int) -> bool:
        return (attempt == 0 or self._is_patient) and self.deadline.remaining_s > _MIN_CONNECT_S + _PAUSE_S

    def _left_s(self) -> float:
        if not (remaining_s := self.deadline.remaining_s):
            raise DatabaseError("no time is left to ask the database", hint="raise the function's timeout")
        return remaining_s


def _in_one_round_trip(
    connection: Connection, statements: Sequence[Statement], timeout_s: float
) -> list[Rows]:
    timeout = sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(max(1, int(timeout_s * 1000))))
    # psycopg's transaction() waits at both of its ends. After an error the connection is closed anyway.
    with connection.pipeline():
        connection.execute("BEGIN")
        connection.execute(timeout)
        cursors = [connection.execute(query, parameters, binary=True) for query, parameters in statements]
        connection.execute("COMMIT")
    return [cursor.fetchall() for cursor in cursors]


@contextmanager
def _cut_off(connection: Connection, seconds: float) -> Iterator[None]:
    """Close the connection's socket after `seconds`: a server that hangs cannot time out by itself."""
    # A socket of its own, so that the number of a connection closed meanwhile is never another one's.
    with socket.socket(fileno=os.dup(connection.fileno())) as twin:
        timer = threading.Timer(seconds, _shut_down, [twin])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _shut_down(twin: socket.socket) -> None:
    try:
        twin.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was quicker
        return


def _is_lost(error: Exception) -> bool:
    """Whether `error` says that there is no connection, rather than that a statement was refused."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    is_timeout = isinstance(cause, errors.QueryCanceled)
    return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and not is_timeout


def _raise_database_error(error: psycopg.Error | DatabaseError) -> NoReturn:
    if isinstance(error, DatabaseError):
        raise error
    raise DatabaseError("the database gave no answer", why=first_line(error)) from error
