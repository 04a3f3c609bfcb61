"""Replacing a table in one step, with everything that hangs on it, and rolling back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from psycopg import sql

from tests.integration.embeddings.load_samples import GOOD, Loader, counts
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.indexes import vector_indexes
from vectorops.database.kept_tables import discard_kept_table, kept_table, roll_back
from vectorops.database.side_tables import side_table
from vectorops.database.swap import swap
from vectorops.database.tables import list_vector_tables, vector_table
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, InputDataError

OLD = {"z": [9, 9, 9], "a": [0, 0, 0]}
NEW = {"a": [1, 2, 3], "b": [4, 5, 6]}
REPLACE = Way("replace")


@pytest.fixture
def loader(loader: Loader) -> Loader:
    """Loads into a table with two rows and an index."""
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]'), ('a', '[0,0,0]')")
    loader.connection.execute(
        "CREATE INDEX nearest ON t USING hnsw (embedding vector_cosine_ops) WITH (m = 8)"
    )
    return loader


def definitions(loader: Loader, table: str = "t") -> list[tuple[Any, ...]]:
    """What psql's \\d shows of a table, by names only."""
    queries = [
        "SELECT 'index', pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass",
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,"
        " pg_get_expr(adbin, adrelid), col_description(attrelid, attnum), attacl::text, attstattarget,"
        " attoptions"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        "SELECT relacl::text, pg_get_userbyid(relowner), reloptions, relreplident, relrowsecurity,"
        " relforcerowsecurity, obj_description(oid, 'pg_class') FROM pg_class WHERE oid = %s::regclass",
        "SELECT pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger"
        " WHERE tgrelid = %s::regclass AND NOT tgisinternal",
        "SELECT policyname, permissive, roles, cmd, qual, with_check FROM pg_policies"
        " WHERE schemaname = 'public' AND tablename = %s",
        "SELECT polname, obj_description(oid, 'pg_policy') FROM pg_policy WHERE polrelid = %s::regclass",
        "SELECT pubname, attnames, rowfilter FROM pg_publication_tables"
        " WHERE schemaname = 'public' AND tablename = %s",
        "SELECT indexrelid::regclass::text, obj_description(indexrelid, 'pg_class'), indisclustered,"
        " ARRAY(SELECT attstattarget FROM pg_attribute WHERE attrelid = indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass",
        "SELECT pg_get_statisticsobjdef(oid), stxstattarget, obj_description(oid, 'pg_statistic_ext')"
        " FROM pg_statistic_ext WHERE stxrelid = %s::regclass",
    ]
    return [
        row
        for query in queries
        for row in sorted(loader.connection.execute(query, (table,)).fetchall(), key=str)
    ]


def test_a_table_is_replaced_and_the_old_one_kept(loader: Loader) -> None:
    before = definitions(loader)
    report = loader.load(GOOD, way=REPLACE, model_version="2")
    assert counts(report) == {"inserted": 2}
    assert (report.mode, report.index_strategy, report.kept) == (
        "replace",
        "rebuild",
        "vectorops_kept_public.t",
    )
    assert loader.rows() == NEW
    assert loader.rows("vectorops_kept_public.t") == OLD
    assert definitions(loader) == before
    [load] = loader.loads()
    assert (load.mode, load.index_strategy, load.model_version) == ("replace", "rebuild", "2")
    assert load.bytes_read == len(GOOD)
    assert load.duration is not None
    assert [table.full_name for table in list_vector_tables(loader.connection) if table.name == "t"] == [
        "public.t"
    ]


def test_a_second_replacement_drops_what_the_first_has_kept(loader: Loader) -> None:
    loader.load(GOOD, way=REPLACE)
    loader.load('id,embedding\nc,"[7,8,9]"\n', way=REPLACE)
    assert loader.rows() == {"c": [7, 8, 9]}
    assert loader.rows("vectorops_kept_public.t") == NEW


def test_a_rollback_puts_the_kept_table_back_and_another_one_undoes_it(loader: Loader) -> None:
    loader.load(GOOD.replace("\nb,", "\nq,"), model_version="1")
    before = loader.rows()
    definition = definitions(loader)
    loader.load(GOOD, way=REPLACE, model_version="2")
    report = roll_back(loader.connection, "t")
    assert (report.table, report.rows, report.model_version) == ("public.t", 3, "1")
    assert loader.rows() == before
    assert definitions(loader) == definition
    last = loader.loads()[0]
    assert (last.mode, last.model_version, last.sources) == ("rollback", "1", [])
    kept = kept_table(loader.connection, vector_table(loader.connection, "t"))
    assert kept
    assert kept.model_version == "2"
    assert roll_back(loader.connection, "t").model_version == "2"
    assert loader.rows() == NEW


def test_what_is_kept_can_be_discarded(loader: Loader) -> None:
    loader.load(GOOD, way=REPLACE)
    report = discard_kept_table(loader.connection, "t")
    assert (report.discarded, report.kept, report.rows) == (True, None, 2)
    with pytest.raises(DatabaseError, match=r"no earlier table is kept for 'public\.t'"):
        roll_back(loader.connection, "t")
    assert loader.rows() == NEW


@pytest.fixture
def clerk(loader: Loader) -> Iterator[str]:
    """A role with a few rights, which end with the test."""
    loader.connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'clerk'")
    yield "clerk"
    loader.connection.execute("DROP TABLE IF EXISTS vectorops_kept_public.t, vectorops_new_public.t")
    loader.connection.execute("DROP TABLE IF EXISTS t CASCADE")
    loader.connection.execute("DROP ROLE clerk")


EVERYTHING = """
CREATE TABLE shop (name text PRIMARY KEY);
INSERT INTO shop VALUES ('main');
ALTER TABLE t ADD number int GENERATED BY DEFAULT AS IDENTITY, ADD ticket serial,
    ADD note text DEFAULT 'none', ADD length int GENERATED ALWAYS AS (length(id)) STORED,
    ADD shop text DEFAULT 'main' REFERENCES shop, ADD seen timestamptz,
    ADD CONSTRAINT short CHECK (length(id) < 100), ADD CONSTRAINT numbered UNIQUE (number);
CREATE INDEX noted ON t (note) WHERE note <> 'none';
CREATE INDEX halves ON t USING hnsw ((embedding::halfvec(3)) halfvec_l2_ops) WITH (m = 6);
COMMENT ON TABLE t IS 'the table''s comment';
COMMENT ON COLUMN t.note IS 'a note';
COMMENT ON INDEX noted IS 'of notes';
COMMENT ON CONSTRAINT numbered ON t IS 'unique';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.seen = now(); RETURN NEW; END$$;
CREATE TRIGGER stamped BEFORE INSERT OR UPDATE ON t FOR EACH ROW WHEN (NEW.id <> 't')
    EXECUTE FUNCTION stamp();
CREATE TRIGGER off AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE t DISABLE TRIGGER off;
ALTER TABLE t SET (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE t ALTER note SET STATISTICS 7, ALTER note SET (n_distinct = 5);
ALTER TABLE t REPLICA IDENTITY USING INDEX numbered;
GRANT SELECT ON t TO clerk WITH GRANT OPTION;
GRANT UPDATE (note, embedding) ON t TO clerk;
REVOKE TRUNCATE ON t FROM CURRENT_USER;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON t AS RESTRICTIVE FOR SELECT TO clerk USING (id <> 'z' AND id IN (SELECT id FROM t));
CREATE POLICY written ON t USING (true) WITH CHECK (note <> '%s');
COMMENT ON POLICY written ON t IS 'of a policy';
COMMENT ON TRIGGER stamped ON t IS 'of a trigger';
CREATE VIEW cheap WITH (security_barrier) AS SELECT id, embedding <=> '[1,1,1]' AS distance, t FROM t;
CREATE VIEW of_view AS SELECT id FROM cheap;
GRANT SELECT ON cheap TO clerk;
CREATE PUBLICATION feed FOR TABLE t (id, number, note) WHERE (number > 0);
CREATE STATISTICS pairs ON id, note FROM t;
COMMENT ON STATISTICS pairs IS 'of two';
ALTER STATISTICS pairs SET STATISTICS 50;
CREATE STATISTICS public."Of t" (mcv) ON lower(note), number FROM t;
CREATE INDEX lowered ON t (lower(note));
ALTER INDEX lowered ALTER COLUMN 1 SET STATISTICS 30;
ALTER TABLE t CLUSTER ON lowered;
"""


VIEWS = """
SELECT oid, relacl::text, reloptions FROM pg_class
WHERE relkind = 'v' AND relname IN ('cheap', 'of_view') ORDER BY relname
"""


def test_everything_that_hangs_on_the_table_is_carried_over_and_back(loader: Loader, clerk: str) -> None:
    loader.connection.execute(EVERYTHING.replace("distance, t FROM", "distance FROM").encode())
    before = definitions(loader)
    views = loader.connection.execute(VIEWS).fetchall()
    loader.load(GOOD, way=REPLACE)
    assert definitions(loader) == before
    assert loader.connection.execute("SELECT id FROM of_view ORDER BY id").fetchall() == [("a",), ("b",)]
    row = loader.connection.execute(
        "SELECT number, ticket, note, length, shop, seen IS NOT NULL FROM t WHERE id = 'b'"
    ).fetchone()
    loader.connection.execute("INSERT INTO t (id, embedding) VALUES ('c', '[1,1,1]')")
    assert row is not None
    assert row[2:] == ("none", 1, "main", True)
    assert views == loader.connection.execute(VIEWS).fetchall()
    loader.connection.execute("GRANT DELETE ON t TO clerk; COMMENT ON COLUMN t.shop IS 'where'")
    after = definitions(loader)
    roll_back(loader.connection, "t")
    assert definitions(loader) == after
    assert loader.connection.execute("SELECT id FROM of_view ORDER BY id").fetchall() == [("a",), ("z",)]
    loader.connection.execute("INSERT INTO t (id, embedding) VALUES ('c', '[1,1,1]')")
    discard_kept_table(loader.connection, "t")
    loader.connection.execute("INSERT INTO t (id, embedding) VALUES ('d', '[1,1,1]')")
    numbers = loader.connection.execute("SELECT number, ticket FROM t ORDER BY number").fetchall()
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    ("obstacle", "named"),
    [
        ("CREATE TABLE orders (item text REFERENCES t)", "constraint orders_item_fkey on table orders"),
        ("CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM t", "materialized view summary"),
        ("CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM t; END", "function f()"),
        ("CREATE FUNCTION g(t) RETURNS text LANGUAGE sql AS $$SELECT $1.id$$", "function g(t)"),
        ("CREATE TABLE of_rows (one t)", "table of_rows"),
        ("CREATE RULE quiet AS ON DELETE TO t DO INSTEAD NOTHING", "it has rules"),
        ("CREATE TABLE child () INHERITS (t)", "it inherits"),
        ("CREATE TEMP VIEW mine AS SELECT id FROM t", "view mine"),
        ("ALTER TABLE t ADD parent text REFERENCES t", "constraint t_parent_fkey on table t"),
    ],
)
def test_what_cannot_be_carried_over_is_named_before_anything_is_read(
    loader: Loader, obstacle: str, named: str
) -> None:
    loader.connection.execute(obstacle.encode())
    for dry_run in (True, False):
        with pytest.raises(DatabaseError, match=r"'public\.t' cannot be replaced") as caught:
            loader.load(GOOD, way=REPLACE, dry_run=dry_run, on_progress=never)
        assert named in caught.value.why
        assert caught.value.hint
    assert loader.rows() == OLD
    assert loader.loads() == []


def never(rows: int, bytes_read: int) -> None:
    raise AssertionError("nothing should have been read")


def test_a_kept_table_that_somebody_uses_is_not_dropped(loader: Loader) -> None:
    loader.load(GOOD, way=REPLACE)
    loader.connection.execute("CREATE VIEW past AS SELECT * FROM vectorops_kept_public.t")
    with pytest.raises(DatabaseError, match=r"the table kept before is in use: .*view past"):
        loader.load(GOOD, way=REPLACE)
    assert loader.rows("vectorops_kept_public.t") == OLD


def test_a_bad_row_or_a_refused_one_leaves_the_table_and_what_is_kept(loader: Loader) -> None:
    loader.load(GOOD, way=REPLACE)
    loader.connection.execute("ALTER TABLE t ADD CHECK (id <> 'x')")
    for content in (
        'id,embedding\nx,"[1,2,nan]"\n',
        'id,embedding\nx,"[1,2,3]"\n',
        'id,embedding\nx,"[1,2]"\n',
    ):
        with pytest.raises((InputDataError, DatabaseError)):
            loader.load(content, way=REPLACE)
    assert (loader.rows(), loader.rows("vectorops_kept_public.t")) == (NEW, OLD)
    assert left_over(loader) == []


def left_over(loader: Loader) -> list[tuple[Any, ...]]:
    """Tables that no load is at work on any more."""
    return loader.connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace::regnamespace::text ~ '^vectorops_(new|swapping)_'"
    ).fetchall()


def test_a_table_is_not_replaced_by_an_empty_one_unless_asked_for(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    content = 'id,embedding\na,"[1,2,nan]"\n'
    with pytest.raises(InputDataError, match=r"there is no row to replace 'public\.t' with") as caught:
        loader.load(content, way=REPLACE, on_error="reject")
    assert (caught.value.why, caught.value.hint) == (
        "1 of 1 rows were rejected",
        "see why with --on-error stop",
    )
    assert loader.rows() == OLD
    report = loader.load(content, way=Way("replace", allow_empty=True), on_error="reject")
    assert counts(report) == {"rejected": 1}
    assert loader.rows() == {}


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_without_rows_empties_the_table_only_when_asked_for(loader: Loader, resume: bool) -> None:
    with pytest.raises(InputDataError, match="there is no row to replace") as caught:
        loader.load("id,embedding\n", way=Way("replace", resume=resume))
    assert "--allow-empty" in caught.value.hint
    assert loader.rows() == OLD
    report = loader.load("id,embedding\n", way=Way("replace", allow_empty=True, resume=resume))
    assert (report.read, report.empty_files) == (0, (str(loader.folder / "a.csv"),))
    assert loader.rows() == {}
    with pytest.raises(InputDataError, match="has a header and no rows"):
        loader.load("id,embedding\n", "missing", create=True, way=Way("replace", allow_empty=True))


def test_an_id_given_twice_is_shown_as_csv(loader: Loader) -> None:
    path = loader.folder / "rejects.csv"
    row = '"b, ""x""","[4,5,6]"\n'
    loader.load(f"id,embedding\n{row}{row}", on_error="reject", rejects_path=path)
    assert [reject["text"] for reject in loader.rejects(path)] == [row.rstrip()]


def test_an_id_given_twice_is_rejected_with_its_line(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(loader.folder)
    content = GOOD + 'a,"[7,7,7]"\n'
    with pytest.raises(InputDataError, match=r"a\.csv line 4: the id 'a' is in .*a\.csv line 2 already"):
        loader.load(content, way=REPLACE)
    report = loader.load(content, way=REPLACE, on_error="reject")
    assert counts(report) == {"inserted": 2, "rejected": 1}
    assert loader.rows() == NEW


def test_a_dry_run_counts_and_changes_nothing(loader: Loader) -> None:
    before = definitions(loader)
    report = loader.load(GOOD, way=REPLACE, dry_run=True)
    assert counts(report) == {"inserted": 2}
    assert (loader.rows(), definitions(loader), loader.loads()) == (OLD, before, [])
    assert kept_table(loader.connection, vector_table(loader.connection, "t")) is None


def test_a_table_that_is_missing_is_created_and_keeps_nothing(loader: Loader) -> None:
    report = loader.load(GOOD, "new", create=True, way=REPLACE)
    assert (report.created, report.kept, counts(report)) == (True, None, {"inserted": 2})
    [index] = vector_indexes(loader.connection, vector_table(loader.connection, "new"))
    assert (index.name, index.is_valid) == ("new_embedding_idx", True)


def test_names_are_taken_letter_for_letter_in_every_schema(loader: Loader) -> None:
    for schema in ('Shop "1"; --', "s" * 63):
        loader.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        name = sql.Identifier(schema, 'T"; x')
        loader.connection.execute(
            sql.SQL('CREATE TABLE {} ("Item ID" int PRIMARY KEY, v vector(3))').format(name)
        )
        loader.connection.execute(
            sql.SQL('CREATE INDEX "My Index" ON {} USING hnsw (v vector_l2_ops)').format(name)
        )
        table = f'{schema}.T"; x'
        content = 'item id,v\n7,"[1,2,3]"\n'
        assert counts(loader.load(content, table, way=REPLACE)) == {"inserted": 1}
        assert roll_back(loader.connection, table).rows == 0
        found = vector_table(loader.connection, table)
        assert [index.name for index in vector_indexes(loader.connection, found)] == ["My Index"]


def test_a_table_that_is_in_use_all_the_time_is_not_replaced(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    with connect(database_address) as reader, reader.transaction():
        reader.execute("SELECT * FROM t")
        with pytest.raises(DatabaseError, match=r"'public\.t' was in use all the time") as caught:
            loader.load(GOOD, way=Way("replace", swap_patience_s=0))
        assert f"process {reader.info.backend_pid}" in caught.value.why
    assert (loader.rows(), left_over(loader)) == (OLD, [])


def test_an_index_that_the_table_got_meanwhile_is_not_lost(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    with connect(database_address) as other:

        def change_it(rows: int, bytes_read: int) -> None:
            other.execute("CREATE INDEX IF NOT EXISTS added ON t (id)")

        loader.load(GOOD, way=REPLACE, on_progress=change_it)
    assert loader.rows() == NEW
    assert "CREATE INDEX added ON public.t USING btree (id)" in str(definitions(loader))


def test_a_constraint_that_the_table_got_meanwhile_is_not_lost(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    with connect(database_address) as other:
        other.execute("CREATE TABLE shop (name text PRIMARY KEY)")
        loader.connection.execute("ALTER TABLE t ADD shop text")

        def change_it(phase: str) -> None:
            if "in its place" in phase:
                other.execute("ALTER TABLE t ADD CONSTRAINT sold_by FOREIGN KEY (shop) REFERENCES shop")
                other.execute("COMMENT ON COLUMN t.shop IS 'where'")

        with pytest.raises(DatabaseError, match="it got another constraint meanwhile: sold_by"):
            loader.load(GOOD, way=replace(REPLACE, on_phase=change_it))
        assert loader.rows() == OLD
        loader.load(GOOD, way=REPLACE)
    assert "sold_by" in str(definitions(loader))
    assert "where" in str(definitions(loader))


def test_statistics_whose_names_are_taken_among_the_kept_are_in_nobodys_way(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD note text; CREATE TABLE other (LIKE t INCLUDING ALL)")
    loader.connection.execute("CREATE STATISTICS public.pairs ON id, note FROM t")
    loader.load(GOOD, way=REPLACE)
    loader.connection.execute("DROP STATISTICS public.pairs")
    loader.connection.execute("CREATE STATISTICS public.pairs ON id, note FROM other")
    loader.load(GOOD, "other", way=REPLACE)
    roll_back(loader.connection, "other")
    roll_back(loader.connection, "t")
    assert "STATISTICS" in str(definitions(loader))
    assert left_over(loader) == []


def test_triggers_see_the_rows_of_the_new_table(loader: Loader) -> None:
    loader.connection.execute(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.embedding = '[8,8,8]'; RETURN NEW; END$$"
    )
    loader.connection.execute(
        "CREATE TRIGGER stamped BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp()"
    )
    loader.load(GOOD, way=REPLACE)
    assert loader.rows() == {"a": [8, 8, 8], "b": [8, 8, 8]}


def test_a_table_of_a_role_that_the_loader_is_a_member_of_keeps_its_owner(loader: Loader, clerk: str) -> None:
    loader.connection.execute("GRANT clerk TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
    loader.connection.execute("GRANT USAGE, CREATE ON SCHEMA public TO clerk")
    loader.connection.execute("CREATE VIEW v AS SELECT id FROM t")
    loader.connection.execute("ALTER TABLE t OWNER TO clerk")
    loader.connection.execute("GRANT SELECT ON t TO PUBLIC")
    loader.connection.execute(f"GRANT ALL ON t TO {loader.connection.info.user}".encode())
    before = definitions(loader)
    try:
        loader.load(GOOD, way=REPLACE)
        assert definitions(loader) == before
        loader.load(GOOD, way=REPLACE)
        roll_back(loader.connection, "t")
        assert definitions(loader) == before
        assert loader.connection.execute("SELECT count(*) FROM v").fetchone() == (2,)
    finally:
        loader.connection.execute("DROP OWNED BY clerk CASCADE")


def test_the_table_of_somebody_else_is_left_alone(
    loader: Loader, clerk: str, database_address: DatabaseAddress
) -> None:
    loader.connection.execute("GRANT USAGE ON SCHEMA vectorops TO clerk")
    loader.connection.execute("GRANT ALL ON t, load_log, kept_tables TO clerk")
    try:
        with connect(replace(database_address, user="clerk", password="clerk")) as theirs:
            other = Loader(theirs, loader.folder)
            with pytest.raises(DatabaseError, match=f"it belongs to {loader.connection.info.user}"):
                other.load(GOOD, "public.t", way=REPLACE)
            assert counts(other.load(GOOD, "public.t")) == {"inserted": 1, "updated": 1}
    finally:
        loader.connection.execute("REVOKE ALL ON t, load_log, kept_tables FROM clerk")
        loader.connection.execute("REVOKE ALL ON SCHEMA vectorops FROM clerk")


def test_a_table_that_is_free_again_in_time_is_replaced(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    with connect(database_address) as reader:
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 4:
                reader.execute("ROLLBACK")

        table = vector_table(loader.connection, "t")
        loader.load(GOOD, way=REPLACE)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t")
        with loader.connection.transaction():
            swap(loader.connection, table, side_table(table, "kept"), sleep=wait)
        assert len(waits) == 4
    assert loader.rows() == OLD
