"""A database that is away, slow, silent, restarted, or has another password."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.integration.functions.deployment import SQL_DIR, Deployment, Invocation, load_items
from tests.integration.functions.relay import Relay
from tests.recommender_samples import activity, firehose_event, trained
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.errors import DatabaseError
from vectorops.functions.deadline import Deadline
from vectorops.functions.runtime import open_store
from vectorops.functions.session import Session
from vectorops.functions.transform import Transform
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster

Connection = psycopg.Connection[Any]
TERMINATE_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
BATCH = firehose_event(*map(activity, range(20)))


def make_transform(deployment: Deployment, *, is_patient: bool = True, **variables: str) -> Transform:
    configuration = deployment.configuration(**variables)
    store = open_store(configuration, deployment.aws, is_patient=is_patient)
    return Transform(configuration, store.recommender)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresProcess]:
    """A server of the test's own, which it may stop."""
    create_cluster(tmp_path / "data", user="vectorops", password="first", database="vectors")
    server = PostgresProcess(tmp_path / "data", find_free_port(), tmp_path / "log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def restartable(server: PostgresProcess, deployment: Deployment) -> Deployment:
    """A deployment on that server."""
    address = DatabaseAddress(LOOPBACK, server.port, "vectors", "vectorops", "first", sslmode="disable")
    with connect(address) as connection:
        apply_migrations(connection, SQL_DIR)
        register_vector_types(connection)
        load_items(connection, trained().files.item_embeddings)
    deployment.put_login("vectorops", "first")
    return replace(deployment, database=address)


def test_a_database_restart_between_batches_is_not_noticed(
    restartable: Deployment, server: PostgresProcess
) -> None:
    transform = make_transform(restartable)
    before = transform(BATCH, Invocation())
    server.stop()
    server.start()
    assert transform(BATCH, Invocation()) == before


@pytest.mark.parametrize("is_patient", [True, False])
def test_while_the_database_is_away_the_batch_fails_and_afterwards_it_succeeds(
    restartable: Deployment, server: PostgresProcess, is_patient: bool
) -> None:
    transform = make_transform(restartable, is_patient=is_patient)
    before = transform(BATCH, Invocation())
    server.stop()
    with pytest.raises(DatabaseError, match="cannot connect to database 'vectors'"):
        transform(BATCH, Invocation(seconds=6))
    server.start()
    assert transform(BATCH, Invocation()) == before


@pytest.mark.parametrize("budget_mb", ["64", "0"])
def test_a_broken_connection_is_opened_again_within_the_batch(
    deployment: Deployment, relay: Relay, budget_mb: str
) -> None:
    transform = make_transform(deployment, CATALOGUE_BUDGET_MB=budget_mb)
    before = transform(BATCH, Invocation())
    relay.cut()
    assert transform(BATCH, Invocation()) == before
    assert relay.connections == 2


def test_a_backend_that_was_terminated_is_replaced_within_the_batch(
    deployment: Deployment, items: Connection, relay: Relay
) -> None:
    transform = make_transform(deployment)
    before = transform(BATCH, Invocation())
    items.execute(TERMINATE_OTHERS)
    assert transform(BATCH, Invocation()) == before
    assert relay.connections == 2


def test_a_rotated_password_is_read_anew(restartable: Deployment) -> None:
    transform = make_transform(restartable)
    before = transform(BATCH, Invocation())
    with connect(restartable.database) as connection:
        connection.execute("ALTER ROLE vectorops PASSWORD 'second'")
        connection.execute(TERMINATE_OTHERS)
    restartable.put_login("vectorops", "second")
    assert transform(BATCH, Invocation()) == before


def test_a_slow_database_fails_the_batch_before_the_function_times_out(
    deployment: Deployment, items: Connection
) -> None:
    transform = make_transform(deployment)
    before = transform(BATCH, Invocation())
    with items.transaction():
        items.execute("LOCK TABLE vectorops.load_log IN ACCESS EXCLUSIVE MODE")
        # The server counts from when it has the statement, so where it got that late, it is not waited for.
        words = "canceling statement due to statement timeout|server closed the connection"
        with pytest.raises(DatabaseError, match=words):
            transform(BATCH, Invocation(seconds=3))
    assert transform(BATCH, Invocation()) == before


def test_a_silent_network_fails_the_batch_before_the_function_times_out(
    deployment: Deployment, relay: Relay
) -> None:
    transform = make_transform(deployment)
    before = transform(BATCH, Invocation())
    with relay.blocked(), pytest.raises(DatabaseError, match="server closed the connection"):
        transform(BATCH, Invocation(seconds=3))
    assert transform(BATCH, Invocation()) == before


def test_a_pooler_without_a_server_to_spare_fails_the_batch_before_the_function_times_out(
    deployment: Deployment, relay: Relay
) -> None:
    transform = make_transform(deployment)
    with relay.blocked_after_login(), pytest.raises(DatabaseError, match="server closed the connection"):
        transform(BATCH, Invocation(seconds=3))
    assert relay.connections == 1
    records = transform(BATCH, Invocation())["records"]
    assert {record["result"] for record in records} == {"Ok"}


def test_without_time_left_nothing_is_asked(deployment: Deployment, relay: Relay) -> None:
    transform = make_transform(deployment)
    with pytest.raises(DatabaseError, match="no time is left"):
        transform(BATCH, Invocation(seconds=1))
    assert relay.connections == 0


def test_the_session_leaves_no_setting_and_no_prepared_statement_behind(
    database_address: DatabaseAddress, aws: Aws
) -> None:
    session = Session(lambda: database_address, is_patient=False)
    session.deadline = Deadline(10)
    for _ in range(10):
        [[timeout]] = session.query([(sql.SQL("SELECT current_setting('statement_timeout')"), ())])
        assert timeout != ("0",)
    left = session.use(
        lambda connection: connection.execute(
            "SELECT current_setting('statement_timeout'), (SELECT count(*) FROM pg_prepared_statements)"
        ).fetchone()
    )
    assert left == ("0", 0)
    session.close()


def test_a_refused_statement_is_not_tried_again_and_the_session_goes_on(
    database_address: DatabaseAddress,
) -> None:
    session = Session(lambda: database_address, is_patient=True)
    session.deadline = Deadline(10)
    with pytest.raises(DatabaseError, match='relation "nowhere" does not exist'):
        session.query([(sql.SQL("SELECT 1"), ()), (sql.SQL("SELECT * FROM nowhere"), ())])
    assert session.query([(sql.SQL("SELECT 1"), ()), (sql.SQL("SELECT 2"), ())]) == [[(1,)], [(2,)]]
    session.close()
