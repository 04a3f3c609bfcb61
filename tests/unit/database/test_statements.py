import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectorops.database.statements import Statement, split_statements

PIECES = [
    "SELECT 1",
    "SELECT ';' AS \";\"",
    "SELECT 'it''s; fine'",
    r"SELECT E'it\'s; fine'",
    "SELECT 1 -- not; here\n + 1",
    "SELECT /* nor; here */ 1",
    "DO $$ BEGIN PERFORM 1; PERFORM ';'; END $$",
    "DO $body$ BEGIN PERFORM $$;$$; END $body$",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
    "SELECT a$b, c$d FROM t",
]
SEPARATORS = [";", ";\n", " ; -- done; really\n", ";;\n/* next; */\n"]


@pytest.mark.parametrize("statement", PIECES)
def test_a_semicolon_inside_a_statement_does_not_end_it(statement: str) -> None:
    assert list(split_statements(statement + ";")) == [Statement(statement, 1)]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(SEPARATORS))))
def test_a_script_splits_into_the_statements_it_was_made_of(parts: list[tuple[str, str]]) -> None:
    script = "".join(statement + separator for statement, separator in parts)
    assert [statement.text for statement in split_statements(script)] == [text for text, _ in parts]


@given(st.text())
def test_no_text_is_lost_but_comments_semicolons_and_blanks(script: str) -> None:
    statements = list(split_statements(script))
    for statement in statements:
        assert statement.text in script
    if not set(script) & set(";'\"$-/"):
        assert [statement.text for statement in statements] == [script.strip()] * bool(script.strip())


def test_a_statement_knows_its_line() -> None:
    script = "-- a note; with a semicolon\n\nCREATE TABLE a ();\n\n/* two\nlines */ CREATE TABLE b (\n);\n"
    assert [statement.line for statement in split_statements(script)] == [3, 6]


@pytest.mark.parametrize("script", ["", "\n\n", "-- only a comment", "/* here; too */ ;; "])
def test_a_script_without_statements_has_none(script: str) -> None:
    assert list(split_statements(script)) == []
