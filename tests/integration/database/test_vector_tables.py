from typing import Any

import psycopg
import pytest
from psycopg import sql

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.indexes import vector_indexes
from vectorops.database.tables import VectorTable, create_vector_table, list_vector_tables, vector_table
from vectorops.errors import DatabaseError, UsageError

Connection = psycopg.Connection[Any]


def test_a_table_is_described_as_the_catalog_has_it(vector_database: Connection) -> None:
    vector_database.execute("CREATE SCHEMA shop")
    vector_database.execute(
        "CREATE TABLE shop.products"
        " (note text, gone vector(3), code varchar(15) PRIMARY KEY, features halfvec(7))"
    )
    vector_database.execute("ALTER TABLE shop.products DROP gone")
    table = vector_table(vector_database, "shop.products")
    assert table == VectorTable(
        "shop", "products", "code", "character varying", 15, "features", "halfvec", dimension=7
    )
    assert table.full_name == "shop.products"
    assert table.qualified == sql.Identifier("shop", "products")


@pytest.mark.parametrize(
    ("declared", "id_type", "length"),
    [
        ("varchar", "character varying", None),
        ("varchar(15)", "character varying", 15),
        ("text", "text", None),
        ("int", "integer", None),
        ("bigint", "bigint", None),
        ("smallint", "smallint", None),
        ("uuid", "uuid", None),
    ],
)
def test_a_created_table_has_the_id_type_and_dimension_asked_for(
    vector_database: Connection, declared: str, id_type: str, length: int | None
) -> None:
    created = create_vector_table(vector_database, "made", id_type=declared, dimension=32)
    assert (created.id_type, created.id_max_length, created.dimension) == (id_type, length, 32)
    assert vector_table(vector_database, "public.made") == created


def test_a_vector_column_without_dimension_has_none(vector_database: Connection) -> None:
    vector_database.execute("CREATE TABLE any_length (id int PRIMARY KEY, embedding vector)")
    assert vector_table(vector_database, "any_length").dimension is None


def test_a_table_of_another_schema_is_found_by_the_search_path_only(vector_database: Connection) -> None:
    vector_database.execute("CREATE SCHEMA shop")
    create_vector_table(vector_database, "shop.products", id_type="text", dimension=3)
    with pytest.raises(
        DatabaseError, match=r"there is no table 'products': the vector tables are shop.products"
    ):
        vector_table(vector_database, "products")
    vector_database.execute("SET search_path = shop, public")
    assert vector_table(vector_database, "products").schema == "shop"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("(id int PRIMARY KEY)", "has no vector column"),
        ("(embedding vector(3))", "has no primary key column"),
        ("(id int PRIMARY KEY, a vector(3), b halfvec(3))", "has 2 vector columns: a, b"),
        ("(a int, b int, v vector(3), PRIMARY KEY (a, b))", "has 2 primary key columns: a, b"),
        ('("100%" int PRIMARY KEY, v vector(3))', "has a column with '%' in its name"),
    ],
)
def test_a_table_that_is_no_vector_table_is_refused_with_the_reason(
    vector_database: Connection, definition: str, message: str
) -> None:
    vector_database.execute(f"CREATE TABLE odd {definition}".encode())
    with pytest.raises(DatabaseError, match=message) as caught:
        vector_table(vector_database, "odd")
    assert caught.value.hint
    assert list_vector_tables(vector_database) == []


def test_included_columns_of_a_primary_key_are_not_part_of_it(vector_database: Connection) -> None:
    vector_database.execute(
        "CREATE TABLE t (id int, note text, v vector(3), PRIMARY KEY (id) INCLUDE (note))"
    )
    assert vector_table(vector_database, "t").id_column == "id"


def test_every_vector_table_is_listed_partitioned_ones_once(vector_database: Connection) -> None:
    vector_database.execute("CREATE SCHEMA a")
    vector_database.execute("CREATE TABLE plain (id int PRIMARY KEY)")
    vector_database.execute("CREATE TABLE parts (id int PRIMARY KEY, v vector(3)) PARTITION BY RANGE (id)")
    vector_database.execute("CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (9)")
    vector_database.execute("CREATE TEMP TABLE passing (id int PRIMARY KEY, v vector(3))")
    create_vector_table(vector_database, "a.first", id_type="text", dimension=3)
    assert [table.full_name for table in list_vector_tables(vector_database)] == ["a.first", "public.parts"]


def test_without_any_vector_table_the_error_says_so(connection: Connection) -> None:
    with pytest.raises(
        DatabaseError, match=r"there is no table 'item_emb': the database has no vector tables"
    ):
        vector_table(connection, "item_emb")


def test_without_the_extension_creating_points_to_the_migrations(connection: Connection) -> None:
    with pytest.raises(DatabaseError, match=r'type "vector" does not exist') as caught:
        create_vector_table(connection, "made", id_type="text", dimension=3)
    assert "vectorops schema apply" in caught.value.hint


@pytest.mark.parametrize(
    ("vector_type", "dimension", "key", "opclass"),
    [
        ("vector", 2_000, "column", "vector_l2_ops"),
        ("vector", 2_001, "halfvec", "halfvec_l2_ops"),
        ("vector", 4_000, "halfvec", "halfvec_l2_ops"),
        ("vector", 4_001, None, None),
        ("halfvec", 4_000, "column", "halfvec_l2_ops"),
        ("halfvec", 4_001, None, None),
    ],
)
def test_a_created_table_is_indexed_as_far_as_pgvector_can(
    vector_database: Connection, vector_type: Any, dimension: int, key: str | None, opclass: str | None
) -> None:
    table = create_vector_table(
        vector_database, "wide", id_type="int", dimension=dimension, metric="l2", vector_type=vector_type
    )
    indexes = vector_indexes(vector_database, table)
    assert [(index.key, index.opclass) for index in indexes] == ([(key, opclass)] if key else [])
    assert all(index.is_searchable and index.metric == "l2" for index in indexes)


def test_creating_belongs_to_the_callers_transaction(vector_database: Connection) -> None:
    with vector_database.transaction(force_rollback=True):
        create_vector_table(vector_database, "passing", id_type="text", dimension=3)
    assert list_vector_tables(vector_database) == []


def test_creating_a_table_that_is_there_is_refused_and_the_transaction_goes_on(
    vector_database: Connection,
) -> None:
    create_vector_table(vector_database, "made", id_type="text", dimension=3)
    with vector_database.transaction():
        with pytest.raises(DatabaseError, match=r"cannot create table 'made': relation .* already exists"):
            create_vector_table(vector_database, "made", id_type="text", dimension=3)
        assert vector_table(vector_database, "made").dimension == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id_type": "text); DROP TABLE made; --"}, "an id cannot be of type"),
        ({"id_type": "varchar(0)"}, "an id cannot be of type"),
        ({"dimension": 0}, "a vector cannot have 0 dimensions"),
        ({"dimension": 16_001}, "a vector cannot have 16001 dimensions"),
        ({"metric": "cosine_ops); --"}, "no metric is called"),
        ({"name": ""}, "cannot name a table"),
        ({"name": "a" * 64}, "cannot name a table"),
        ({"name": "shop."}, "cannot name a table"),
        ({"name": "100%"}, "cannot name a table"),
    ],
)
def test_what_cannot_be_a_vector_table_is_refused_before_the_database_is_asked(
    vector_database: Connection, change: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"name": "made", "id_type": "text", "dimension": 3} | change
    with pytest.raises(UsageError, match=message):
        create_vector_table(vector_database, **arguments)
    assert list_vector_tables(vector_database) == []


@pytest.mark.parametrize("name", ["'; DROP TABLE kept; --", 'kept"; DROP TABLE kept; --', "kept, public"])
def test_a_name_that_looks_like_sql_is_only_a_name(vector_database: Connection, name: str) -> None:
    create_vector_table(vector_database, "kept", id_type="text", dimension=3)
    with pytest.raises(DatabaseError, match="there is no table"):
        vector_table(vector_database, name)
    assert create_vector_table(vector_database, name, id_type="text", dimension=3).name == name
    assert len(list_vector_tables(vector_database)) == 2


def test_indexes_are_described_with_their_options(vector_database: Connection) -> None:
    vector_database.execute("CREATE TABLE t (id int PRIMARY KEY, v vector(8), kind text)")
    for definition in (
        "hnsw_tuned ON t USING hnsw (v vector_ip_ops) WITH (m = 8, ef_construction = 33)",
        "halved ON t USING hnsw ((v::halfvec(8)) halfvec_cosine_ops)",
        "bits ON t USING hnsw ((binary_quantize(v)::bit(8)) bit_hamming_ops)",
        "jaccard ON t USING hnsw ((binary_quantize(v)::bit(8)) bit_jaccard_ops)",
        "half_of_it ON t USING hnsw ((subvector(v, 1, 4)::vector(4)) vector_cosine_ops)",
        "part_of ON t USING hnsw (v vector_cosine_ops) WHERE kind = 'a'",
        "lists ON t USING ivfflat (v vector_l2_ops) WITH (lists = 3)",
        "not_a_vector ON t (kind)",
    ):
        vector_database.execute(f"CREATE INDEX {definition}".encode())
    described = {
        index.name: index for index in vector_indexes(vector_database, vector_table(vector_database, "t"))
    }
    summary = {
        name: (index.method, index.key, index.metric, index.options, index.is_searchable)
        for name, index in described.items()
    }
    default = {"m": 16, "ef_construction": 64}
    assert summary == {
        "hnsw_tuned": ("hnsw", "column", "inner_product", {"m": 8, "ef_construction": 33}, True),
        "halved": ("hnsw", "halfvec", "cosine", default, True),
        "bits": ("hnsw", "bit", "cosine", default, True),
        "jaccard": ("hnsw", "bit", None, default, False),
        "half_of_it": ("hnsw", "other", "cosine", default, False),
        "part_of": ("hnsw", "column", "cosine", default, False),
        "lists": ("ivfflat", "column", "l2", {"lists": 3}, True),
    }
    assert all(index.is_valid and index.size_bytes > 0 for index in described.values())
    assert described["hnsw_tuned"].definition.startswith("CREATE INDEX hnsw_tuned ON public.t USING hnsw")


def test_an_index_that_a_failed_build_left_behind_is_not_searchable(vector_database: Connection) -> None:
    vector_database.execute("CREATE TABLE t (id int PRIMARY KEY, v vector(3))")
    vector_database.execute("INSERT INTO t VALUES (1, '[70000, 0, 0]')")  # more than a halfvec can hold
    with pytest.raises(psycopg.DataError):
        vector_database.execute("CREATE INDEX CONCURRENTLY ON t USING hnsw ((v::halfvec(3)) halfvec_l2_ops)")
    (index,) = vector_indexes(vector_database, vector_table(vector_database, "t"))
    assert not index.is_valid
    assert not index.is_searchable


def test_an_index_that_is_dropped_while_the_catalog_is_read_is_no_index(
    vector_database: Connection, database_address: DatabaseAddress
) -> None:
    table = create_vector_table(vector_database, "t", id_type="int", dimension=3)
    [index] = vector_indexes(vector_database, table)
    # A transaction that goes on seeing the catalog as it was.
    vector_database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with vector_database.transaction(), connect(database_address) as other:
        vector_database.execute("SELECT 1 FROM pg_class LIMIT 1")
        other.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index.name)))
        assert vector_indexes(vector_database, table) == []
