"""Appending, and loading into a table with an index: through it, or into a new table."""

import re
from pathlib import Path

import pytest

from tests.integration.embeddings.load_samples import GOOD, Loader, counts, embeddings_csv
from vectorops.database.kept_tables import roll_back
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, InputDataError

APPEND = Way("append")


@pytest.fixture
def loader(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> Loader:
    monkeypatch.chdir(loader.folder)
    return loader


@pytest.mark.parametrize("index", ["", "CREATE INDEX ON t USING hnsw (embedding vector_l2_ops)"])
def test_append_inserts_new_rows(loader: Loader, index: str) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    loader.connection.execute(index.encode() or b"SELECT")
    report = loader.load(GOOD, way=APPEND)
    assert counts(report) == {"inserted": 2}
    assert report.mode == loader.loads()[0].mode == "append"
    assert loader.rows() == {"z": [9, 9, 9], "a": [1, 2, 3], "b": [4, 5, 6]}


@pytest.mark.parametrize("index", ["", "CREATE INDEX ON t USING hnsw (embedding vector_l2_ops)"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_append_rejects_ids_that_are_there_and_leaves_their_rows(
    loader: Loader, index: str, dry_run: bool
) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('a', '[0,0,0]')")
    loader.connection.execute(index.encode() or b"SELECT")
    with pytest.raises(InputDataError, match=r"a\.csv line 2: the id 'a' is in the table already"):
        loader.load(GOOD, way=APPEND, dry_run=dry_run)
    assert loader.rows() == {"a": [0, 0, 0]}
    path = Path("rejects.csv")
    report = loader.load(GOOD, way=APPEND, on_error="reject", rejects_path=path, dry_run=dry_run)
    assert counts(report) == {"inserted": 1, "rejected": 1}
    assert loader.rows() == ({"a": [0, 0, 0]} if dry_run else {"a": [0, 0, 0], "b": [4, 5, 6]})
    if not dry_run:
        [reject] = loader.rejects(path)
        assert (reject["line"], reject["reason"]) == ("2", "the id 'a' is in the table already")


def test_a_few_rows_go_through_the_index(loader: Loader) -> None:
    loader.load(GOOD, "new", create=True)
    report = loader.load('id,embedding\nc,"[7,8,9]"\n', "new")
    assert (report.index_strategy, report.index_reason) == ("insert", "only 1 rows change")
    assert report.kept is None


def test_many_rows_take_the_way_that_is_measured_to_be_quicker(loader: Loader) -> None:
    """Which one that is depends on what else the machine does."""
    loader.load(embeddings_csv(100, 32), "new", create=True)
    report = loader.load(embeddings_csv(6_000, 32, seed=2), "new")
    assert counts(report) == {"inserted": 5_900, "updated": 100}
    assert "6,000 rows through the index would take about" in report.index_reason
    inserting_s, rebuilding_s = map(float, re.findall(r"([\d.]+) s\b", report.index_reason))
    assert rebuilding_s > 0
    quicker = ["rebuild"] * (rebuilding_s <= inserting_s) + ["insert"] * (inserting_s <= rebuilding_s)
    assert report.index_strategy in quicker
    assert loader.loads()[0].index_strategy == report.index_strategy


def test_a_table_that_is_rebuilt_for_an_upsert_is_kept(loader: Loader) -> None:
    loader.load(embeddings_csv(100, 32), "new", create=True)
    rebuild = Way(index_strategy="rebuild")
    report = loader.load(embeddings_csv(3_000, 32, seed=2), "new", way=rebuild)
    assert counts(report) == {"inserted": 2_900, "updated": 100}
    assert report.index_strategy == loader.loads()[0].index_strategy == "rebuild"
    assert report.kept == "vectorops_kept_public.new"
    assert counts(loader.load(embeddings_csv(3_000, 32, seed=2), "new")) == {"unchanged": 3_000}
    assert roll_back(loader.connection, "new").rows == 100


@pytest.mark.parametrize("strategy", ["insert", "rebuild"])
def test_both_ways_give_the_same_rows(loader: Loader, strategy: str) -> None:
    loader.connection.execute(
        "ALTER TABLE t ADD note text DEFAULT 'new', ADD number int GENERATED ALWAYS AS IDENTITY"
    )
    loader.connection.execute("INSERT INTO t VALUES ('a', '[0,0,0]', 'old'), ('z', NULL, 'kept')")
    loader.connection.execute("CREATE INDEX ON t USING hnsw (embedding vector_l2_ops)")
    way = Way("upsert", index_strategy=strategy)  # type: ignore[arg-type]
    report = loader.load(GOOD, way=way)
    assert counts(report) == {"inserted": 1, "updated": 1}
    assert (report.index_strategy, report.index_reason) == (strategy, "as asked for")
    rows = loader.connection.execute("SELECT id, embedding::text, note, number FROM t ORDER BY id").fetchall()
    assert rows == [("a", "[1,2,3]", "old", 1), ("b", "[4,5,6]", "new", 3), ("z", None, "kept", 2)]
    assert counts(loader.load('id,embedding\nc,"[7,8,9]"\n', way=Way("append", index_strategy=strategy))) == {  # type: ignore[arg-type]
        "inserted": 1
    }


@pytest.mark.parametrize("strategy", ["insert", "rebuild"])
def test_ids_that_the_table_would_give_itself_are_taken_from_the_files(loader: Loader, strategy: str) -> None:
    loader.connection.execute("DROP TABLE t")
    loader.connection.execute(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, embedding vector(3))"
    )
    way = Way(index_strategy=strategy)  # type: ignore[arg-type]
    content = 'id,embedding\n7,"[1,2,3]"\n8,"[4,5,6]"\n'
    assert counts(loader.load(content)) == {"inserted": 2}
    loader.connection.execute("CREATE INDEX ON t USING hnsw (embedding vector_l2_ops)")
    report = loader.load(content.replace("[4,5,6]", "[0,5,6]") + '9,"[7,8,9]"\n', way=way)
    assert counts(report) == {"inserted": 1, "updated": 1, "unchanged": 1}
    assert counts(loader.load('id,embedding\n5,"[7,8,9]"\n', way=APPEND)) == {"inserted": 1}
    twice = content + '8,"[0,0,0]"\n'
    report = loader.load(twice, way=Way("replace"), on_error="reject", rejects_path=Path("rejects.csv"))
    assert counts(report) == {"inserted": 2, "rejected": 1}
    assert loader.rows() == {7: [1, 2, 3], 8: [4, 5, 6]}


def test_a_table_of_which_rows_are_hidden_is_not_written_anew(loader: Loader) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    loader.connection.execute(
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        " CREATE POLICY most ON t USING (id <> 'z') WITH CHECK (true)"
    )
    with pytest.raises(DatabaseError, match=r"'public\.t' cannot be written anew: row policies may hide"):
        loader.load(GOOD, way=Way(index_strategy="rebuild"))
    assert counts(loader.load(GOOD)) == {"inserted": 2}
    loader.connection.execute("ALTER TABLE t NO FORCE ROW LEVEL SECURITY")
    assert set(loader.rows()) == {"z", "a", "b"}


def test_triggers_or_what_cannot_be_carried_over_make_many_rows_go_through_the_index(loader: Loader) -> None:
    loader.load(GOOD, "new", create=True)
    loader.connection.execute("CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM new")
    content = embeddings_csv(2_000, 3)
    report = loader.load(content, "new")
    assert report.index_strategy == "insert"
    assert "materialized view summary" in report.index_reason
    with pytest.raises(DatabaseError, match="materialized view summary"):
        loader.load(content, "new", way=Way(index_strategy="rebuild"))
