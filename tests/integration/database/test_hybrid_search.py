"""Searches by vector and text at once."""

from typing import Any

import psycopg
import pytest

from tests.integration.database.vector_samples import FilledTable, clustered_vectors, found_ids
from vectorops.database.filters import parse_filter
from vectorops.database.query import QueryById
from vectorops.database.searcher import Searcher
from vectorops.errors import UsageError

Connection = psycopg.Connection[Any]
WORDS = ["red", "green", "blue", "old", "new", "fast", "slow"]


@pytest.fixture
def searcher(vector_database: Connection, fill: FilledTable) -> Searcher:
    """Row i is described by two words; row 77 is the only one with a zeppelin."""
    vectors = clustered_vectors(400, 8)
    table = fill(vectors, name="models")
    vector_database.execute("ALTER TABLE models ADD title text, ADD price int DEFAULT 5")
    for row in range(400):
        title = f"A {WORDS[row % 7]} and {WORDS[row % 3]} car" if row != 77 else "One zeppelin, flying"
        vector_database.execute("UPDATE models SET title = %s WHERE id = %s", (title, row))
    vector_database.execute("ANALYZE models")
    return Searcher(vector_database, table)


VECTORS = clustered_vectors(400, 8)


def test_the_scores_are_those_of_reciprocal_rank_fusion(
    vector_database: Connection, searcher: Searcher
) -> None:
    result = searcher.hybrid(VECTORS[5], "red", k=10)
    nearest = found_ids(searcher.search(VECTORS[5], k=50, exact=True))
    matching = vector_database.execute(
        "SELECT id FROM models, websearch_to_tsquery('red') q WHERE to_tsvector(title) @@ q"
        " ORDER BY ts_rank_cd(to_tsvector(title), q) DESC, id LIMIT 50"
    ).fetchall()
    expected: dict[Any, float] = {}
    for ranking in (nearest, [row[0] for row in matching]):
        for place, key in enumerate(ranking, start=1):
            expected[key] = expected.get(key, 0) + 1 / (60 + place)
    best = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [hit.id for hit in result.hits] == [key for key, _ in best]
    assert [hit.score for hit in result.hits] == pytest.approx([score for _, score in best])
    for hit in result.hits:
        places = (hit.vector_place, hit.text_place)
        assert hit.score == pytest.approx(sum(1 / (60 + place) for place in places if place))


def test_a_word_brings_up_a_row_that_no_vector_is_near(searcher: Searcher) -> None:
    assert 77 not in found_ids(searcher.search(VECTORS[5], k=50, exact=True))
    hits = searcher.hybrid(VECTORS[5], "zeppelins", k=5, config="english").hits
    [zeppelin] = [hit for hit in hits if hit.id == 77]
    assert (zeppelin.vector_place, zeppelin.text_place) == (None, 1)


@pytest.mark.parametrize(
    "text", ["", "the", "nothing-like-it", "'; DROP TABLE models; --", "%s", "a & | ! ("]
)
def test_a_text_that_matches_nothing_leaves_the_nearest_vectors(searcher: Searcher, text: str) -> None:
    hits = searcher.hybrid(VECTORS[5], text, k=5, config="english").hits
    assert [hit.id for hit in hits] == found_ids(searcher.search(VECTORS[5], k=5))
    assert {hit.text_place for hit in hits} == {None}


def test_the_syntax_of_search_engines_is_understood(searcher: Searcher) -> None:
    def words(text: str) -> set[Any]:
        return {hit.id for hit in searcher.hybrid(VECTORS[5], text, k=300).hits if hit.text_place}

    assert words("red or zeppelin") == words("red") | {77}
    assert words("red -green") == words("red") - words("green")
    assert words('"red car"') < words("red car") == words("red") != set()


def test_filters_hold_for_both_lists_and_the_row_one_starts_from_is_left_out(
    vector_database: Connection, searcher: Searcher
) -> None:
    vector_database.execute("UPDATE models SET price = 9 WHERE id IN (7, 14, 77)")
    result = searcher.hybrid(QueryById(7), "red or zeppelin", filters=[parse_filter("price > 5")])
    assert {hit.id for hit in result.hits} == {14, 77}


def test_an_index_on_the_text_is_used_and_its_configuration_with_it(
    vector_database: Connection, searcher: Searcher
) -> None:
    assert searcher.hybrid(VECTORS[5], "zeppelins").text_config != "pg_catalog.french"
    vector_database.execute("ALTER TABLE models ADD note text")
    with pytest.raises(UsageError, match="text columns are title, note") as caught:
        searcher.hybrid(VECTORS[5], "zeppelin")
    assert caught.value.hint == "name one with --text-column"
    vector_database.execute("CREATE INDEX ON models USING gin (to_tsvector('french', title))")
    result = searcher.hybrid(VECTORS[5], "zeppelin")
    assert (result.text_column, result.text_config) == ("title", "french")
    assert searcher.hybrid(VECTORS[5], "zeppelin", column="note").text_column == "note"


def test_a_column_of_lexemes_is_preferred_to_text(vector_database: Connection, searcher: Searcher) -> None:
    vector_database.execute(
        "ALTER TABLE models ADD words tsvector GENERATED ALWAYS AS (to_tsvector('english', title)) STORED"
    )
    result = searcher.hybrid(VECTORS[5], "zeppelins", config="english")
    assert result.text_column == "words"
    assert 77 in {hit.id for hit in result.hits}


@pytest.mark.parametrize("name", ["price", "embedding", "titel", "id", 'x"; --'])
def test_a_column_without_text_is_refused(searcher: Searcher, name: str) -> None:
    with pytest.raises(UsageError, match="its text columns are title"):
        searcher.hybrid(VECTORS[5], "zeppelin", column=name)


def test_a_table_without_text_is_refused(vector_database: Connection, fill: FilledTable) -> None:
    with pytest.raises(UsageError, match="it has no text column"):
        Searcher(vector_database, fill(VECTORS[:9])).hybrid(VECTORS[5], "zeppelin")


def test_rows_without_a_vector_are_found_by_their_text_and_by_nothing_else(
    vector_database: Connection, searcher: Searcher
) -> None:
    vector_database.execute("ALTER TABLE models ALTER embedding DROP NOT NULL")
    vector_database.execute("UPDATE models SET embedding = NULL WHERE id = 77")
    hits = searcher.hybrid(VECTORS[5], "zeppelin", k=400).hits
    assert [(hit.vector_place, hit.text_place) for hit in hits if hit.id == 77] == [(None, 1)]
    assert len(hits) == 400
