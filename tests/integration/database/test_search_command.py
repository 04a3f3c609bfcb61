"""`vectorops search` from the command line to the database."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import FilledTable, clustered_vectors
from vectorops.database import search_catalogue

Connection = psycopg.Connection[Any]
VECTORS = clustered_vectors(500, 8)


@pytest.fixture
def items(vector_database: Connection, fill: FilledTable) -> str:
    fill(VECTORS)
    vector_database.execute("ALTER TABLE items ADD price int, ADD title text")
    vector_database.execute(
        "UPDATE items SET price = id, title = CASE id WHEN 9 THEN 'zeppelin' ELSE 'car' END"
    )
    return "items"


def test_search_with_filters_finds_only_rows_that_pass(commands: Commands, items: str) -> None:
    found = commands.json(
        "search", items, "--id", "3", "--where", "price < 8", "--where", "id not in 1, 2", "--json"
    )
    assert sorted(row["id"] for row in found) == [0, 4, 5, 6, 7]


def test_search_by_a_file_of_queries_answers_each_by_name(
    commands: Commands, items: str, tmp_path: Path
) -> None:
    (tmp_path / "queries.csv").write_text(
        "id,embedding\n" + "".join(f'q{row},"{VECTORS[row].tolist()}"\n' for row in (4, 7))
    )
    np.save(tmp_path / "queries.npy", VECTORS[[4, 7]])
    (tmp_path / "queries.txt").write_text("\n".join(str(VECTORS[row].tolist()) for row in (4, 7)))
    for name, expected in (("csv", ["q4", "q7"]), ("npy", ["1", "2"]), ("txt", ["1", "2"])):
        answers = commands.json("search", items, "--queries", str(tmp_path / f"queries.{name}"), "-k", "3")
        assert [answer["query"] for answer in answers] == expected
        assert [answer["neighbours"][0]["id"] for answer in answers] == [4, 7]
        assert {len(answer["neighbours"]) for answer in answers} == {3}
    shown = commands.run("search", items, "--queries", str(tmp_path / "queries.csv"))
    assert shown.exit_code == 0
    assert "q4" in shown.stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", 'id,vector\n1,"[1,2]"\n', "has no columns id and embedding"),
        ("q.csv", 'id,embedding\n1,"[1,2]"\n2,"[1]"\n', "they have 1, 2 numbers"),
        ("q.txt", "", "there are none"),
        ("q.txt", "[1,2]\n[1,two]\n", "'[1,two]' is not a vector"),
        ("q.npy", "no array", "cannot read"),
        ("q.csv", 'id,embedding\n1,"[1,nan]"\n', "only finite numbers can be searched"),
    ],
)
def test_a_file_that_holds_no_queries_is_refused_with_the_reason(
    commands: Commands, items: str, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    answer = commands.run("search", items, "--queries", str(tmp_path / name))
    assert answer.exit_code == 7
    assert message in answer.stderr
    assert answer.stdout == ""


def test_hybrid_search_shows_the_place_in_both_lists(commands: Commands, items: str) -> None:
    hits = commands.json("search", items, "--id", "3", "--hybrid", "zeppelin", "-k", "5")
    assert [hit["text_place"] for hit in hits if hit["id"] == 9] == [1]
    shown = commands.run("search", items, "--id", "3", "--hybrid", "zeppelin", "--text-column", "title")
    assert "text of title" in shown.stdout


def test_a_first_pass_is_chosen_and_shown(
    vector_database: Connection, commands: Commands, items: str
) -> None:
    missing = commands.run("search", items, "--id", "3", "--first-pass", "bit")
    assert missing.exit_code == 2
    assert "vectorops index build public.items --type bit" in missing.stderr
    vector_database.execute("DROP INDEX items_embedding_idx")
    vector_database.execute(
        "CREATE INDEX ON items USING hnsw ((binary_quantize(embedding)::bit(8)) bit_hamming_ops)"
    )
    vector_database.execute("ALTER DATABASE " + vector_database.info.dbname + " SET enable_seqscan = off")
    shown = commands.run("search", items, "--id", "3", "--first-pass", "bit", "--rerank", "60")
    assert "60 candidates ranked by their full vectors" in shown.stdout


def test_a_search_that_reads_a_large_table_warns_on_stderr_only(
    vector_database: Connection, commands: Commands, items: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_catalogue, "NOTICEABLE_BYTES", 0)
    vector_database.execute("DROP INDEX items_embedding_idx")
    shown = commands.run("search", items, "--id", "3")
    assert "warning: every row was compared, since the table has no vector index" in shown.stderr
    assert "warning" not in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "search needs --id, --vector or --queries"),
        (["--id", "3", "--vector", "[1]"], "search needs --id, --vector or --queries"),
        (["--id", "3", "--hybrid", "x", "--with-vectors"], "--hybrid and --with-vectors do not go together"),
        (["--id", "3", "--where", "price"], "'price' is not a filter"),
        (["--id", "3", "--where", "cost = 1"], "no column 'cost' to filter by"),
        (["--id", "3", "--rerank", "3"], "rerank cannot be 3"),
    ],
)
def test_options_that_make_no_search_are_refused(
    commands: Commands, items: str, arguments: list[str], message: str
) -> None:
    answer = commands.run("search", items, *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_a_name_or_value_that_looks_like_markup_is_shown_as_it_is(
    commands: Commands, items: str, vector_database: Connection
) -> None:
    vector_database.execute('ALTER TABLE items RENAME TO "of[/2026]"')
    for words in (
        ("search", "--id", "3", "--where", "title = [/x]"),
        ("index", "list"),
        ("index", "plan"),
        ("index", "tune", "--queries", "2", "--dry-run"),
        ("index", "build", "--rebuild"),
    ):
        shown = commands.run(*words, "of[/2026]")
        assert shown.exit_code == 0, shown.stderr
        assert words[0] == "search" or "of[/2026]" in shown.stdout + shown.stderr
