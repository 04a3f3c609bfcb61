import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.load_log import last_loads
from vectorops.database.migrations import Migration, apply_migrations, migration_status, pending_sql
from vectorops.errors import DatabaseError, UsageError

Connection = psycopg.Connection[Any]
PROJECT_SQL = Path(__file__).parents[3] / "sql"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_shop.sql").write_text("CREATE TABLE shop (id int);\n")
    (tmp_path / "0002_more.sql").write_text(
        "CREATE TABLE more (id int);\nINSERT INTO more VALUES (1), (2);\n"
    )
    return tmp_path


def table_exists(connection: Connection, name: str) -> bool:
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)


def indexes(connection: Connection) -> list[Any]:
    return connection.execute(
        "SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' ORDER BY 1, 2"
    ).fetchall()


def test_the_first_migrations_make_the_recommender_tables_and_their_cosine_indexes(
    connection: Connection,
) -> None:
    apply_migrations(connection, PROJECT_SQL)
    columns = connection.execute("""
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid IN ('public.item_emb'::regclass, 'public.user_emb'::regclass) AND attnum > 0
        ORDER BY attrelid::regclass::text, attnum""").fetchall()
    assert columns == [
        ("item_emb", "id", "character varying"),
        ("item_emb", "embedding", "vector(32)"),
        ("user_emb", "id", "integer"),
        ("user_emb", "embedding", "vector(32)"),
    ]
    hnsw = [definition for _, _, definition in indexes(connection) if "hnsw" in definition]
    assert len(hnsw) == 2
    assert all("(embedding vector_cosine_ops)" in definition for definition in hnsw)
    assert last_loads(connection) == []


def test_migrating_again_adds_no_index_as_every_stack_update_did(connection: Connection) -> None:
    apply_migrations(connection, PROJECT_SQL)
    before = indexes(connection)
    applied: list[Migration] = []
    assert apply_migrations(connection, PROJECT_SQL, on_applied=applied.append) == []
    assert applied == []
    assert indexes(connection) == before
    assert len(before) > 0


def test_the_vector_types_are_known_after_the_extension_is_created(connection: Connection) -> None:
    import numpy as np

    apply_migrations(connection, PROJECT_SQL)
    vector = np.ones(32, dtype=np.float32)
    assert connection.execute("SELECT vector_dims(%(v)b)", {"v": vector}).fetchone() == (32,)


def test_each_migration_is_reported_and_remembered(connection: Connection, folder: Path) -> None:
    before = migration_status(connection, folder)
    assert (before.version, [migration.version for migration in before.pending]) == (0, [1, 2])
    reported: list[str] = []
    apply_migrations(connection, folder, on_applied=lambda migration: reported.append(migration.file_name))
    assert reported == ["0001_shop.sql", "0002_more.sql"]
    after = migration_status(connection, folder)
    assert (after.version, after.pending) == (2, [])
    assert [done.sha256 for done in after.applied] == [migration.sha256 for migration in before.pending]
    assert after.applied[0].applied_by == connection.info.user


def test_only_what_is_new_is_applied(connection: Connection, folder: Path) -> None:
    apply_migrations(connection, folder)
    (folder / "0003_new.sql").write_text("CREATE TABLE new ();")
    assert [migration.version for migration in apply_migrations(connection, folder)] == [3]


def test_a_dry_run_shows_the_pending_sql_and_changes_nothing(connection: Connection, folder: Path) -> None:
    text = pending_sql(connection, folder)
    assert text.startswith("-- 0001_shop.sql\nCREATE TABLE shop (id int);\n")
    assert "INSERT INTO more VALUES (1), (2);" in text
    assert not table_exists(connection, "shop")
    assert not table_exists(connection, "vectorops.schema_migrations")
    apply_migrations(connection, folder)
    assert pending_sql(connection, folder) == ""


def test_an_edited_applied_migration_is_refused_with_both_checksums(
    connection: Connection, folder: Path
) -> None:
    apply_migrations(connection, folder)
    recorded = migration_status(connection, folder).applied[0].sha256
    (folder / "0001_shop.sql").write_text("CREATE TABLE shop (id bigint);\n")
    (folder / "0003_new.sql").write_text("CREATE TABLE new ();")
    with pytest.raises(UsageError, match=r"0001_shop.sql was edited after it was applied") as caught:
        apply_migrations(connection, folder)
    assert recorded in caught.value.why
    assert "new migration" in caught.value.hint
    assert not table_exists(connection, "new")


def test_a_missing_applied_migration_is_refused(connection: Connection, folder: Path) -> None:
    apply_migrations(connection, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(UsageError, match=r"0002_more.sql was applied to this database and is not in"):
        migration_status(connection, folder)


@pytest.mark.parametrize(
    ("statement", "line", "reason"),
    [
        ("SELECT 1,\n  no_such_column", 6, 'column "no_such_column" does not exist'),
        ("INSERT INTO new VALUES (1), (1)", 5, "duplicate key value"),
        ("CREATE INDEX CONCURRENTLY ON new (id)", 5, "cannot run inside a transaction block"),
        ("CREATE EXTENSION no_such_extension", 5, "is not available"),
        ("CREATE TABLE shop ()", 5, 'relation "shop" already exists'),
    ],
)
def test_a_failed_migration_names_its_line_and_leaves_nothing(
    connection: Connection, folder: Path, statement: str, line: int, reason: str
) -> None:
    (folder / "0003_new.sql").write_text(
        f"-- a comment; with a semicolon\n\nCREATE TABLE new (id int PRIMARY KEY);\n\n{statement};\n"
    )
    with pytest.raises(DatabaseError, match=rf"0003_new.sql failed in line {line} .*{reason}") as caught:
        apply_migrations(connection, folder)
    assert caught.value.hint
    assert not table_exists(connection, "new")
    assert migration_status(connection, folder).version == 2
    assert apply_migrations(connection, write_over(folder, "CREATE TABLE new ();"))[0].version == 3


def write_over(folder: Path, content: str) -> Path:
    (folder / "0003_new.sql").write_text(content)
    return folder


def test_the_hint_on_concurrently_says_what_to_write(connection: Connection, folder: Path) -> None:
    write_over(folder, "CREATE INDEX CONCURRENTLY ON shop (id);")
    with pytest.raises(DatabaseError) as caught:
        apply_migrations(connection, folder)
    assert "leave CONCURRENTLY out" in caught.value.hint


def test_a_second_runner_waits_for_the_first_and_then_has_nothing_to_do(
    database_address: DatabaseAddress, folder: Path
) -> None:
    """The first runner is held after its first commit until the second says that it waits."""
    first_is_inside, second_waits = threading.Event(), threading.Event()
    messages: list[str] = []

    def hold(_: Migration) -> None:
        first_is_inside.set()
        assert second_waits.wait(timeout=60)

    def note(message: str) -> None:
        messages.append(message)
        second_waits.set()

    with (
        connect(database_address) as first,
        connect(database_address) as second,
        ThreadPoolExecutor() as pool,
    ):
        leading = pool.submit(apply_migrations, first, folder, on_applied=hold)
        assert first_is_inside.wait(timeout=60)
        following = pool.submit(apply_migrations, second, folder, on_wait=note)
        assert [migration.version for migration in leading.result()] == [1, 2]
        assert following.result() == []
        assert f"process {first.info.backend_pid}" in messages[0]
        assert first.execute("SELECT count(*) FROM more").fetchone() == (2,)


def test_many_runners_at_once_apply_each_migration_once(database_address: DatabaseAddress) -> None:
    def run(_: int) -> list[Migration]:
        with connect(database_address) as connection:
            return apply_migrations(connection, PROJECT_SQL)

    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(run, range(8)))
    versions = sorted(migration.version for applied in runs for migration in applied)
    assert versions == list(range(1, len(versions) + 1))
    assert len(versions) >= 3


def test_a_connection_lost_in_mid_migration_leaves_nothing_and_frees_the_lock(
    database_address: DatabaseAddress, folder: Path
) -> None:
    write_over(folder, "CREATE TABLE new ();\nSELECT pg_terminate_backend(pg_backend_pid());")
    with connect(database_address) as doomed, pytest.raises(DatabaseError, match="failed in line 2"):
        apply_migrations(doomed, folder)
    with connect(database_address) as connection:
        assert not table_exists(connection, "new")
        write_over(folder, "CREATE TABLE new ();")
        assert [migration.version for migration in apply_migrations(connection, folder)] == [3]


def test_statements_keep_percent_signs_and_text_in_any_script(connection: Connection, folder: Path) -> None:
    write_over(folder, "CREATE TABLE new AS SELECT '100 %s é 日本'::text AS note;")
    apply_migrations(connection, folder)
    assert connection.execute("SELECT note FROM new").fetchone() == ("100 %s é 日本",)


def test_what_a_migration_makes_without_a_schema_is_public_even_for_a_user_named_like_ours(
    connection: Connection,
) -> None:
    assert connection.info.user == "vectorops"
    apply_migrations(connection, PROJECT_SQL)
    schema = connection.execute(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
    )
    assert schema.fetchone() == ("public",)
