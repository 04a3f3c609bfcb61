import psycopg
import pytest
import typer
from botocore.exceptions import NoCredentialsError
from typer.testing import CliRunner

from vectorops.cli.group import RootGroup, globals_first
from vectorops.errors import UsageError


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["deploy", "--env", "prod", "--yes"], ["--env", "prod", "deploy", "--yes"]),
        (["search", "item_emb", "--json", "--env=dev"], ["--json", "--env=dev", "search", "item_emb"]),
        (["status"], ["status"]),
        (["status", "--env"], ["--env", "status"]),
        (["glue-run", "--", "--json"], ["glue-run", "--", "--json"]),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], ordered: list[str]) -> None:
    assert globals_first(given) == ordered


@pytest.fixture
def failing_app() -> typer.Typer:
    app = typer.Typer(cls=RootGroup)

    @app.callback()
    def root(debug: bool = False) -> None: ...

    @app.command()
    def fail(kind: str) -> None:
        failures = {
            "known": UsageError("the table is missing", why="nobody made it", hint="make it"),
            "database": psycopg.OperationalError("the server closed the connection"),
            "aws": NoCredentialsError(),
            "unforeseen": ZeroDivisionError("division by zero"),
            "interrupted": KeyboardInterrupt(),
        }
        raise failures[kind]

    return app


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("known", 2, "error: the table is missing: nobody made it\nhint: make it"),
        ("database", 3, "error: PostgreSQL refused: the server closed the connection"),
        ("aws", 4, "error: an AWS API call failed: Unable to locate credentials"),
        ("unforeseen", 1, "error: unexpected ZeroDivisionError: division by zero"),
        ("interrupted", 130, "error: interrupted"),
    ],
)
def test_every_failure_is_a_message_and_an_exit_code(
    failing_app: typer.Typer, kind: str, code: int, message: str
) -> None:
    answer = CliRunner().invoke(failing_app, ["fail", kind])
    assert answer.exit_code == code
    assert message in answer.stderr
    assert "Traceback" not in answer.output


def test_a_traceback_comes_only_when_asked_for(failing_app: typer.Typer) -> None:
    answer = CliRunner().invoke(failing_app, ["--debug", "fail", "unforeseen"])
    assert isinstance(answer.exception, ZeroDivisionError)


def test_help_fills_the_lines_of_the_terminal_whatever_its_source_breaks(failing_app: typer.Typer) -> None:
    @failing_app.command()
    def explain(loudly: bool = False) -> None:
        """Explain.

        The second paragraph is broken
        in its source, and not in the help.
        """

    help_text = CliRunner().invoke(failing_app, ["explain", "--help"], env={"COLUMNS": "80"}).stdout
    assert "The second paragraph is broken in its source, and not in the help." in help_text
    assert "<bool>" not in help_text
