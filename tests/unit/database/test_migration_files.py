import hashlib
from pathlib import Path

import pytest

from vectorops.database.migrations import load_migrations
from vectorops.errors import UsageError

PROJECT_SQL = Path(__file__).parents[3] / "sql"


def write(folder: Path, *names: str, content: str = "SELECT 1;") -> Path:
    for name in names:
        (folder / name).write_text(content)
    return folder


def test_migrations_come_in_order_with_the_checksum_of_their_bytes(tmp_path: Path) -> None:
    write(tmp_path, "0002_second.sql", "0001_first.sql", "README.md")
    migrations = load_migrations(tmp_path)
    assert [(migration.version, migration.name) for migration in migrations] == [(1, "first"), (2, "second")]
    assert migrations[0].sha256 == hashlib.sha256(b"SELECT 1;").hexdigest()


def test_the_migrations_of_this_project_load() -> None:
    assert load_migrations(PROJECT_SQL)[0].file_name == "0001_vector_extension.sql"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_c.sql"], "there is no migration number 0002"),
        (["0001_a.sql", "0002_b.sql", "0002_c.sql"], "two migrations have number 0002"),
        (["0002_b.sql"], "there is no migration number 0001"),
        (["0001_a.sql", "2_b.sql"], "'2_b.sql' is not the name of a migration"),
        (["0001_Capital.sql"], "'0001_Capital.sql' is not the name of a migration"),
        ([], "there are no migrations in"),
    ],
)
def test_a_wrongly_numbered_folder_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    write(tmp_path, *names)
    with pytest.raises(UsageError, match=message):
        load_migrations(tmp_path)


@pytest.mark.parametrize("statement", ["COMMIT", "begin", "Rollback", "END", "START TRANSACTION", "abort"])
def test_a_migration_may_not_end_its_own_transaction(tmp_path: Path, statement: str) -> None:
    write(tmp_path, "0001_a.sql", content=f"CREATE TABLE a ();\n\n{statement};\n")
    with pytest.raises(UsageError, match=rf"0001_a.sql, line 3: {statement.split()[0].upper()} is not for"):
        load_migrations(tmp_path)


def test_a_migration_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    with pytest.raises(UsageError, match="is not UTF-8"):
        load_migrations(tmp_path)
