"""Columns beside id and vector: PostgreSQL must hold what its own input of the same text makes of it."""

import pytest

from tests.integration.embeddings.load_samples import Loader, counts
from vectorops.errors import InputDataError

VALUES = {
    "text": ["plain", "Zürich 😀", "x" * 3000],
    "varchar(5)": ["abcde", "äöüß€"],
    "char(4)": ["ab", "abcd"],
    "smallint": ["7", "-32768", "+5"],
    "integer": ["0", "2147483647"],
    "bigint": ["-9223372036854775808", "12"],
    "real": ["1.5", "1e-40", "NaN", "-Infinity", "0.1"],
    "double precision": ["0.1", "1e300", "-0"],
    "numeric": ["0", "-12.340", "1e3", "0.00012", "123456789012345678901234567890.5", ".5", "5."],
    "numeric(8,2)": ["1", "-999999.99", "1.005", "123456.7"],
    "numeric(3,0)": ["999", "12.5"],
    "boolean": ["t", "false", "YES", "off", "1"],
    "date": ["2024-02-29", "1999-12-31", "0001-01-01"],
    "timestamp": ["2024-02-29 12:34:56.123456", "1970-01-01T00:00:00"],
    "timestamptz": [
        "2024-02-29 12:34:56+02",
        "2024-02-29T12:34:56Z",
        "2024-02-29T12:34:56.5+05:30",
        "2024-02-29",
    ],
    "uuid": ["6f1c2a34-0000-4000-8000-0123456789ab", "6F1C2A34-0000-4000-8000-0123456789AB"],
    "json": ['{"a": [1, 2.50, null]}'],
    "jsonb": ['{"b": 1, "a": "\\u00e9"}', "[]", "3"],
}
WRONG = {
    "varchar(5)": "abcdef",
    "smallint": "32768",
    "integer": "1.0",
    "bigint": "9223372036854775808",
    "real": "1e39",
    "double precision": "one",
    "numeric": "1,5",
    "numeric(8,2)": "1000000",
    "numeric(3,0)": "999.5",
    "boolean": "maybe",
    "date": "2023-02-29",
    "timestamp": "yesterday",
    "timestamptz": "2024-13-01",
    "uuid": "6f1c2a34",
    "json": "{",
    "jsonb": "{'a': 1}",
}


def csv(values: list[str]) -> str:
    quoted = [value.replace('"', '""') for value in values]
    return "id,embedding,extra\n" + "".join(
        f'{number},"[1,2,3]","{value}"\n' for number, value in enumerate(quoted)
    )


@pytest.mark.parametrize("type_", VALUES)
def test_values_arrive_as_postgres_reads_them(loader: Loader, type_: str) -> None:
    loader.connection.execute("SET timezone = 'UTC'")
    loader.connection.execute(f"ALTER TABLE t ADD extra {type_}".encode())
    loader.connection.execute(f"CREATE TABLE wanted (id varchar, extra {type_})".encode())
    values = ["", *VALUES[type_]]
    with loader.connection.cursor().copy("COPY wanted FROM STDIN (FORMAT csv, FORCE_NULL (extra))") as copy:
        for number, value in enumerate(values):
            copy.write(f'{number},"{value.replace(chr(34), chr(34) * 2)}"\n')
    report = loader.load(csv(values))
    assert counts(report) == {"inserted": len(values)}
    assert report.ignored_columns == ()
    shown = "SELECT id, extra::text FROM {} ORDER BY id"
    found = loader.connection.execute(shown.format("t").encode()).fetchall()
    assert found == loader.connection.execute(shown.format("wanted").encode()).fetchall()
    assert counts(loader.load(csv(values))) == {"unchanged": len(values)}


@pytest.mark.parametrize("type_", WRONG)
def test_a_wrong_value_is_a_rejected_row_with_its_reason(
    loader: Loader, type_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    loader.connection.execute(f"ALTER TABLE t ADD extra {type_}".encode())
    report = loader.load(csv([VALUES[type_][0], WRONG[type_], ""]), on_error="reject")
    assert counts(report) == {"inserted": 2, "rejected": 1}
    assert report.rejects_path
    [reject] = loader.rejects(report.rejects_path)
    assert reject["line"] == "3"
    assert reject["reason"].startswith(f"column extra is '{WRONG[type_]}', which is no ")


def test_only_rows_whose_metadata_differ_are_updated(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD source text, ADD line int")
    first = 'id,embedding,line,source\na,"[1,2,3]",1,x\nb,"[1,2,3]",2,y\n'
    assert counts(loader.load(first)) == {"inserted": 2}
    assert counts(loader.load(first.replace(",y", ",z"))) == {"updated": 1, "unchanged": 1}
    rows = loader.connection.execute("SELECT id, line, source FROM t ORDER BY id").fetchall()
    assert rows == [("a", 1, "x"), ("b", 2, "z")]


def test_a_column_that_needs_a_value_and_is_in_no_file_is_named_before_the_load(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD lang text NOT NULL, ADD n int NOT NULL DEFAULT 5")
    with pytest.raises(InputDataError, match="has no column 'lang'"):
        loader.load('id,embedding\na,"[1,2,3]"\n')
    loader.load('id,embedding,Lang\na,"[1,2,3]",de\n')
    assert loader.connection.execute("SELECT lang, n FROM t").fetchall() == [("de", 5)]


def test_a_missing_value_where_null_cannot_be_is_rejected(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    loader.connection.execute("ALTER TABLE t ADD lang text NOT NULL")
    content = 'id,embedding,lang\na,"[1,2,3]",de\nb,"[1,2,3]",\n'
    assert counts(loader.load(content, on_error="reject")) == {"inserted": 1, "rejected": 1}


def test_files_of_one_load_have_the_same_columns(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD lang text")
    first = loader.write('id,embedding,lang\na,"[1,2,3]",de\n', "1.csv")
    second = loader.write('id,embedding\nb,"[1,2,3]"\n', "2.csv")
    with pytest.raises(InputDataError, match=r"2\.csv has no column 'lang'"):
        loader.load_files(first, second)


def test_columns_whose_names_differ_in_letter_case_only_are_not_mixed_up(loader: Loader) -> None:
    loader.connection.execute('ALTER TABLE t ADD "Note" text, ADD note text')
    loader.load('id,embedding,note,Note\na,"[1,2,3]",small,large\n')
    assert loader.connection.execute('SELECT note, "Note" FROM t').fetchall() == [("small", "large")]


@pytest.mark.parametrize("header", ["id,embedding,note,note", "id,embedding,NOTE,Note"])
def test_a_column_that_is_there_twice_is_refused(loader: Loader, header: str) -> None:
    loader.connection.execute("ALTER TABLE t ADD note text")
    with pytest.raises(InputDataError, match="has 2 columns called 'note'"):
        loader.load(f'{header}\na,"[1,2,3]",x,y\n')


def test_a_json_field_that_comes_later_than_the_first_lines_is_not_lost(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD lang text, ADD sku text")
    lines = [f'{{"sku": "{number}", "embedding": [1, 2, 3], "more": "lang"}}' for number in range(300)]
    late = [*lines, '{"sku": "x", "embedding": [1, 2, 3], "lang": null}']
    assert counts(loader.load("\n".join(late), id_column="sku")) == {"inserted": 301}
    late.append('{"sku": "y", "embedding": [1, 2, 3], "Lang" : "de"}')
    with pytest.raises(InputDataError, match=r"line 302 has a field 'Lang' that the first lines lack"):
        loader.load("\n".join(late), id_column="sku")
    late[0] = late[0].replace('"more"', '"Lang": null, "more"')
    assert counts(loader.load("\n".join(late), id_column="sku")) == {"inserted": 1, "unchanged": 301}
    query = "SELECT id FROM t WHERE lang = 'de'"
    assert loader.connection.execute(query).fetchall() == [("y",)]


def test_generated_columns_and_types_that_are_not_loaded_are_left_aside(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD twice int GENERATED ALWAYS AS (2) STORED, ADD tags text[]")
    report = loader.load('id,embedding,twice,tags\na,"[1,2,3]",9,{x}\n')
    assert report.ignored_columns == ("twice", "tags")
