"""What a good load writes, counts and logs."""

import gzip
import hashlib
import io
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
import pytest
import zstandard

from tests.integration.embeddings.load_samples import GOOD, Loader, counts, embeddings_csv
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.kept_tables import roll_back
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, InputDataError, UsageError

GOOD_ROWS = {"a": [1, 2, 3], "b": [4, 5, 6]}


def test_new_rows_are_inserted_and_logged(loader: Loader) -> None:
    report = loader.load(GOOD, model_version="minilm-2")
    assert counts(report) == {"inserted": 2}
    assert (report.table, report.created, report.dry_run) == ("public.t", False, False)
    assert loader.rows() == GOOD_ROWS
    [load] = loader.loads()
    assert (load.table_name, load.sources) == ("public.t", [str(loader.folder / "a.csv")])
    assert load.checksum == report.checksum == hashlib.sha256(GOOD.encode()).hexdigest()
    assert (load.rows_read, load.rows_inserted, load.model_version) == (2, 2, "minilm-2")


class WrongClock(datetime):
    """A clock that is an hour ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "WrongClock":
        return super().now(tz) + timedelta(hours=1)


@pytest.mark.parametrize("way", [Way(), Way(resume=True), Way("replace")])
def test_the_log_has_no_times_of_a_clock_that_is_wrong(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    for module in ("vectorops.embeddings.load", "vectorops.database.kept_tables"):
        monkeypatch.setattr(f"{module}.datetime", WrongClock)
    loader.load(GOOD, way=way)
    if way.mode == "replace":
        roll_back(loader.connection, "t")
    for load in loader.loads():
        assert load.duration is not None
        assert timedelta(0) <= load.duration < timedelta(minutes=30)


def test_loading_twice_writes_nothing_the_second_time(loader: Loader) -> None:
    loader.load(GOOD)
    before = loader.versions()
    assert counts(loader.load(GOOD)) == {"unchanged": 2}
    assert loader.versions() == before


def test_only_rows_that_differ_are_rewritten(loader: Loader) -> None:
    loader.load(GOOD)
    before = loader.versions()
    report = loader.load('id,embedding\na,"[1,2,3]"\nb,"[4,5,7]"\nc,"[0,0,1]"\n')
    assert counts(report) == {"inserted": 1, "updated": 1, "unchanged": 1}
    assert loader.rows() == {"a": [1, 2, 3], "b": [4, 5, 7], "c": [0, 0, 1]}
    after = loader.versions()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_the_sign_of_a_zero_is_a_difference(loader: Loader) -> None:
    loader.load('id,embedding\na,"[0,0,1]"\n')
    assert counts(loader.load('id,embedding\na,"[-0.0,0,1]"\n')) == {"updated": 1}
    assert np.signbit(loader.rows()["a"][0])


def test_a_missing_vector_in_the_table_is_filled(loader: Loader) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('a', NULL)")
    assert counts(loader.load(GOOD)) == {"inserted": 1, "updated": 1}
    assert loader.rows() == GOOD_ROWS


def test_rows_that_are_not_in_the_file_stay(loader: Loader) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    loader.load(GOOD)
    assert loader.rows() == {**GOOD_ROWS, "z": [9, 9, 9]}


@pytest.mark.parametrize(
    "content",
    [
        'id,embedding\r\na,"[1,2,3]"\r\nb,"[4,5,6]"\r\n',
        '\ufeffid,embedding\na,"[1,2,3]"\nb,"[4,5,6]"',
        'id,embedding\n\na,"[1.0, 2e0, 300E-2]"\n\nb,"[ 4 ,+5, 6.]"\n\n',
        'id, embedding\na, "[1,2,3]"\nb, "[4,5,6]"\n',
        '"id","embedding"\n"a","[1,2,3]"\n"b","[4,5,6]"\n',
        "id;embedding\na;[1,2,3]\nb;[4,5,6]\n",
        "id\tembedding\na\t[1,2,3]\nb\t[4,5,6]\n",
        'id,embedding\na,"{1,2,3}"\nb,"{4,5,6}"\n',
        "id,0,1,2\na,1,2,3\nb,4,5,6\n",
        "id;dim_3;dim_1;dim_2\na;3;1;2\nb;6;4;5\n",
        'embedding,id\n"[1,2,3]",a\n"[4,5,6]",b\n',
    ],
)
def test_every_dialect_gives_the_same_rows(loader: Loader, content: str) -> None:
    assert counts(loader.load(content)) == {"inserted": 2}
    assert loader.rows() == GOOD_ROWS


def test_columns_besides_id_and_vector_are_ignored_and_named(loader: Loader) -> None:
    report = loader.load('name,id,price,embedding\n"x, ""y""\nz",a,7,"[1,2,3]"\n,b,,"[4,5,6]"\n')
    assert counts(report) == {"inserted": 2}
    assert report.ignored_columns == ("name", "price")
    assert loader.rows() == GOOD_ROWS


def test_columns_can_be_chosen(loader: Loader) -> None:
    content = 'id,sku,embedding,minilm\n1,a,"[0,0,0]","[1,2,3]"\n2,b,"[0,0,0]","[4,5,6]"\n'
    report = loader.load(content, id_column="sku", vector_column="minilm")
    assert report.ignored_columns == ("id", "embedding")
    assert loader.rows() == GOOD_ROWS


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_compressed_files_load_whatever_they_are_called(loader: Loader, compress: "type[bytes]") -> None:
    stored = compress(GOOD.encode())
    report = loader.load(stored)
    assert loader.rows() == GOOD_ROWS
    assert report.bytes_read == len(stored)


def test_several_files_are_one_load(loader: Loader) -> None:
    files = [
        loader.write('id,embedding\na,"[1,2,3]"\n', "1.csv"),
        loader.write(gzip.compress(b"id;0;1;2\nb;4;5;6\n"), "2.csv"),
    ]
    report = loader.load_files(str(loader.folder / "*.csv"))
    assert counts(report) == {"inserted": 2}
    assert loader.rows() == GOOD_ROWS
    assert [load.sources for load in loader.loads()] == [files]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input_is_read_once_from_its_beginning(loader: Loader, compress: "type[bytes]") -> None:
    content = embeddings_csv(60_000, 3)
    stored = compress(content.encode())
    sources = find_sources(["-"], stdin=io.BytesIO(stored))
    report = load_embeddings(loader.connection, sources, table="t")
    assert counts(report) == {"inserted": 60_000}
    assert report.checksum == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize(
    ("id_type", "ids"),
    [
        ("text", ["a", "ä" * 300]),
        ("varchar(3)", ["a", "äöü"]),
        ("char(3)", ["abc", "äöü"]),
        ("smallint", [-32768, 32767]),
        ("integer", [-2147483648, 2147483647]),
        ("bigint", [-9223372036854775808, 9223372036854775807]),
        ("uuid", [UUID(int=0), UUID("6f1c2a34-0000-4000-8000-0123456789ab")]),
    ],
)
def test_every_kind_of_id_loads(loader: Loader, id_type: str, ids: list[object]) -> None:
    loader.connection.execute(f"CREATE TABLE u (id {id_type} PRIMARY KEY, embedding vector(3))")
    content = f'id,embedding\n{ids[0]},"[1,2,3]"\n{ids[1]},"[4,5,6]"\n'
    assert counts(loader.load(content, "u")) == {"inserted": 2}
    assert counts(loader.load(content, "u")) == {"unchanged": 2}
    assert loader.rows("u") == {ids[0]: [1, 2, 3], ids[1]: [4, 5, 6]}


def test_halfvec_is_rounded_as_postgres_rounds_it(loader: Loader) -> None:
    loader.connection.execute("CREATE TABLE h (id varchar PRIMARY KEY, embedding halfvec(4))")
    loader.load('id,embedding\na,"[0.1,65519,1e-8,-0.33325]"\n', "h")
    row = loader.connection.execute(
        "SELECT halfvec_send(embedding) = halfvec_send('[0.1,65519,1e-8,-0.33325]'::halfvec) FROM h"
    ).fetchone()
    assert row == (True,)


def test_other_columns_of_the_table_keep_their_values(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD COLUMN note text DEFAULT 'new'")
    loader.connection.execute("INSERT INTO t VALUES ('a', '[0,0,0]', 'old')")
    loader.load(GOOD)
    notes = loader.connection.execute("SELECT id, note FROM t ORDER BY id").fetchall()
    assert notes == [("a", "old"), ("b", "new")]


def test_names_are_taken_letter_for_letter(loader: Loader) -> None:
    loader.connection.execute('CREATE SCHEMA "My Shop"')
    loader.connection.execute(
        'CREATE TABLE "My Shop"."T""; x" ("Item ID" int PRIMARY KEY, "Vec""tor" vector(3))'
    )
    report = loader.load('item id,"Vec""tor"\n7,"[1,2,3]"\n', 'My Shop.T"; x')
    assert counts(report) == {"inserted": 1}
    assert loader.connection.execute('SELECT "Item ID" FROM "My Shop"."T""; x"').fetchall() == [(7,)]


def test_a_partitioned_table_loads(loader: Loader) -> None:
    loader.connection.execute(
        "CREATE TABLE p (id int PRIMARY KEY, embedding vector(3)) PARTITION BY RANGE (id)"
    )
    loader.connection.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    loader.connection.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)")
    loader.load('id,embedding\n1,"[1,2,3]"\n', "p")
    report = loader.load('id,embedding\n1,"[1,2,4]"\n11,"[4,5,6]"\n', "p")
    assert counts(report) == {"inserted": 1, "updated": 1}
    assert loader.rows("p") == {1: [1, 2, 4], 11: [4, 5, 6]}


def test_a_column_without_dimension_takes_the_dimension_of_the_file(loader: Loader) -> None:
    loader.connection.execute("CREATE TABLE v (id varchar PRIMARY KEY, embedding vector)")
    assert counts(loader.load(GOOD, "v")) == {"inserted": 2}
    with pytest.raises(
        InputDataError, match="line 3: the vector has 2 dimensions, column embedding of v takes 3"
    ):
        loader.load('id,embedding\nc,"[1,2,3]"\nd,"[4,5]"\n', "v")
    assert loader.rows("v") == GOOD_ROWS


def test_the_index_finds_the_new_rows(loader: Loader) -> None:
    report = loader.load(embeddings_csv(500, 3), "new", create=True)
    assert report.created
    loader.connection.execute("SET enable_seqscan = off")
    query = "SELECT id FROM new ORDER BY embedding <=> (SELECT embedding FROM new WHERE id = 'row77') LIMIT 1"
    assert loader.connection.execute(query).fetchone() == ("row77",)
    plan = loader.connection.execute("EXPLAIN " + query).fetchall()
    assert any("new_embedding_idx" in line for (line,) in plan)


@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        (["103", "-5"], "integer"),
        (["103", "2147483648"], "bigint"),
        (["103", "S10"], "character varying"),
        (["103", "007"], "character varying"),
        (["103", "9" * 19], "character varying"),
    ],
)
def test_a_missing_table_is_created_to_fit_the_file(loader: Loader, ids: list[str], id_type: str) -> None:
    report = loader.load(f'id,embedding\n{ids[0]},"[1,2]"\n{ids[1]},"[3,4]"\n', "new", create=True)
    assert report.created
    columns = loader.connection.execute(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'new'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    assert columns == [(id_type,), ("vector(2)",)]
    assert not loader.load(f'id,embedding\n{ids[0]},"[1,2]"\n', "new", create=True).created


def test_a_failed_load_leaves_no_new_table(loader: Loader) -> None:
    with pytest.raises(InputDataError, match="line 3"):
        loader.load('id,embedding\na,"[1,2]"\nb,"[nan,4]"\n', "new", create=True)
    assert loader.connection.execute("SELECT to_regclass('new')").fetchone() == (None,)


def test_a_dry_run_counts_what_a_load_would_do_and_writes_nothing(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    loader.load(GOOD)
    before, files = loader.versions(), set(loader.folder.iterdir())
    content = 'id,embedding\na,"[1,2,3]"\nb,"[0,0,0]"\nc,"[7,8,9]"\nc,"[7,8,9]"\nd,"[x,8,9]"\n'
    dry = loader.load(content, dry_run=True, on_error="reject")
    assert dry.dry_run
    assert counts(dry) == {"inserted": 1, "updated": 1, "unchanged": 1, "rejected": 2}
    assert dry.rejects_path is None
    assert (loader.versions(), set(loader.folder.iterdir()), len(loader.loads())) == (before, files, 1)
    assert counts(loader.load(content, on_error="reject")) == counts(dry)


def test_a_dry_run_creates_no_table(loader: Loader) -> None:
    assert counts(loader.load(GOOD, "new", create=True, dry_run=True)) == {"inserted": 2}
    assert loader.connection.execute("SELECT to_regclass('new')").fetchone() == (None,)


def test_progress_counts_rows_and_bytes_up_to_the_end(loader: Loader) -> None:
    content = embeddings_csv(200_000, 3)
    steps: list[tuple[int, int]] = []
    loader.load(content, on_progress=lambda rows, bytes_read: steps.append((rows, bytes_read)))
    assert len(steps) > 1
    assert steps == sorted(steps)
    assert steps[-1] == (200_000, len(content))


def test_without_the_table_the_error_names_those_there_are(loader: Loader) -> None:
    with pytest.raises(DatabaseError, match=r"there is no table 'nowhere': the vector tables are .*public.t"):
        loader.load(GOOD, "nowhere")


def test_without_the_log_of_loads_the_error_says_what_to_do(
    connection: psycopg.Connection[None], tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError, match="the database is not set up") as caught:
        Loader(connection, tmp_path).load(GOOD)
    assert "schema apply" in caught.value.hint


def test_ids_of_an_unknown_type_are_refused(loader: Loader) -> None:
    loader.connection.execute("CREATE TABLE n (id numeric PRIMARY KEY, embedding vector(3))")
    with pytest.raises(UsageError, match=r"cannot load into public\.n: its column id is numeric"):
        loader.load(GOOD, "n")


def test_what_postgres_refuses_becomes_an_error_and_changes_nothing(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD CHECK (id <> 'b')")
    with pytest.raises(DatabaseError, match=r"cannot load into 't': .*violates check constraint"):
        loader.load(GOOD)
    assert loader.rows() == {}
    assert loader.loads() == []


def test_an_empty_table_is_filled_without_a_staging_table(loader: Loader) -> None:
    info = loader.connection.info
    loader.connection.execute(f"REVOKE TEMPORARY ON DATABASE {info.dbname} FROM PUBLIC, {info.user}")
    assert counts(loader.load(GOOD)) == {"inserted": 2}
    with pytest.raises(DatabaseError, match="permission denied to create temporary tables"):
        loader.load(GOOD.replace("1,2,3", "3,2,1"))


def test_an_id_given_twice_in_a_load_into_an_empty_table_is_rejected_as_in_any_other(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    content = GOOD + 'c,"[x,0,0]"\na,"[7,7,7]"\n'
    report = loader.load(content, on_error="reject")
    assert counts(report) == {"inserted": 2, "rejected": 2}
    assert loader.rows() == GOOD_ROWS
    assert report.bytes_read == len(content)
    assert report.rejects_path
    assert [reject["line"] for reject in loader.rejects(report.rejects_path)] == ["4", "5"]


def test_row_policies_apply_to_a_load_into_an_empty_table(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    loader.connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'clerk'")
    try:
        loader.connection.execute("GRANT USAGE ON SCHEMA vectorops TO clerk")
        loader.connection.execute("GRANT ALL ON t, load_log TO clerk")
        loader.connection.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        loader.connection.execute("CREATE POLICY not_b ON t TO clerk USING (true) WITH CHECK (id <> 'b')")
        with connect(replace(database_address, user="clerk", password="clerk")) as theirs:
            clerk = Loader(theirs, loader.folder)
            with pytest.raises(DatabaseError, match="violates row-level security policy"):
                clerk.load(GOOD)
            assert counts(clerk.load('id,embedding\na,"[1,2,3]"\n')) == {"inserted": 1}
    finally:
        loader.connection.execute("DROP TABLE t")
        loader.connection.execute("REVOKE ALL ON SCHEMA vectorops FROM clerk")
        loader.connection.execute("REVOKE ALL ON load_log FROM clerk")
        loader.connection.execute("DROP ROLE clerk")
