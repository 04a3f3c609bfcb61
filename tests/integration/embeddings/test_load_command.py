"""`load-embeddings` and `rollback` on the command line: what they print, for people and as JSON."""

import pytest

from tests.integration.database.commands import Commands
from tests.integration.embeddings.load_samples import GOOD, Loader, embeddings_csv
from vectorops.database.connection import DatabaseAddress


@pytest.fixture
def commands(
    loader: Loader, database_address: DatabaseAddress, capsys: pytest.CaptureFixture[str]
) -> Commands:
    """The command line, connected to the test's own database."""
    return Commands(database_address, capsys)


def test_replace_and_rollback_say_what_they_did(commands: Commands, loader: Loader) -> None:
    old, new = loader.write(GOOD, "old.csv"), loader.write(GOOD.replace("b,", "c,"), "new.csv")
    commands.json("load-embeddings", old, "--table", "public.t", "--model-version", "1")
    report = commands.json(
        "load-embeddings", new, "--table", "public.t", "--mode", "replace", "--model-version", "2"
    )
    assert (report["mode"], report["inserted"], report["index_strategy"]) == ("replace", 2, "rebuild")
    assert (report["kept"], report["left_behind"]) == ("vectorops_kept_public.t", 0)
    answer = commands.run("rollback", "public.t")
    assert answer.exit_code == 0
    assert "Rolled back public.t: 2 rows, model 1" in answer.stdout
    assert loader.rows().keys() == {"a", "b"}
    report = commands.json("rollback", "public.t")
    assert (report["model_version"], report["rows"], report["discarded"]) == ("2", 2, False)
    answer = commands.run("load-embeddings", old, "--table", "public.t", "--mode", "replace")
    assert "Replaced public.t: 2 rows" in answer.stdout
    assert "'vectorops rollback public.t' puts it back" in answer.stdout
    assert "putting the new table in its place" in answer.stderr


def test_a_rollback_without_a_kept_table_says_what_keeps_one(commands: Commands) -> None:
    answer = commands.run("rollback", "public.t")
    assert answer.exit_code == 3
    assert "no earlier table is kept for 'public.t'" in answer.stderr
    assert "--mode replace" in answer.stderr


def test_discarding_needs_a_yes(commands: Commands, loader: Loader) -> None:
    commands.json("load-embeddings", loader.write(GOOD), "--table", "public.t", "--mode", "replace")
    assert commands.run("rollback", "public.t", "--discard").exit_code == 2
    report = commands.json("rollback", "public.t", "--discard", "--yes")
    assert (report["discarded"], report["kept"]) == (True, None)


def test_the_way_past_an_index_is_reported_with_its_reason(commands: Commands, loader: Loader) -> None:
    few, many = loader.write(GOOD), loader.write(embeddings_csv(3_000, 3), "many.csv")
    commands.json("load-embeddings", few, "--table", "new", "--create")
    answer = commands.run("load-embeddings", many, "--table", "new", "--index-strategy", "rebuild")
    assert "into a new table: as asked for" in answer.stdout
    again = commands.run("load-embeddings", few, "--table", "new")
    assert "the index" not in again.stdout, "nothing was written"
    other = loader.write(GOOD.replace("1,2,3", "3,2,1"), "other.csv")
    answer = commands.run("load-embeddings", other, "--table", "new")
    assert "through the index: only 1 rows change" in answer.stdout


def test_files_without_rows_are_counted_and_the_first_are_named(commands: Commands, loader: Loader) -> None:
    loader.write(GOOD, "d/good.csv")
    for number in range(5):
        loader.write("id,embedding\n", f"d/{number}.csv")
    answer = commands.run("load-embeddings", str(loader.folder / "d"), "--table", "public.t")
    text = " ".join(answer.stdout.split())
    assert "5 files without rows, passed over: " in text
    assert "2.csv, …" in text
    assert "3.csv" not in text


def test_a_table_without_an_index_is_not_said_to_have_one(commands: Commands, loader: Loader) -> None:
    for text in (GOOD, GOOD.replace("1,2,3", "3,2,1")):
        answer = commands.run("load-embeddings", loader.write(text), "--table", "public.t")
        assert "Loaded public.t" in answer.stdout
        assert "index" not in answer.stdout
