"""What every command gets: the environment, the ways out of it, and the terminal."""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from vectorops.cli.terminal import terminal
from vectorops.errors import UsageError
from vectorops.settings import Environment, Project, load_project

if TYPE_CHECKING:
    import psycopg

    from vectorops.aws import Aws
    from vectorops.database.connection import DatabaseAddress
    from vectorops.infra.stack import Stack
    from vectorops.infra.terraform import Terraform


class AppState:
    """Chosen once per run from the global options; commands take from it what they need.

    Args:
        environment_name: As given with `--env`, or None.
        as_json: Whether results go to stdout as JSON.
        debug: Whether errors keep their traceback.
    """

    def __init__(
        self, environment_name: str | None = None, *, as_json: bool = False, debug: bool = False
    ) -> None:
        self._environment_name = environment_name
        self.as_json = as_json
        self.debug = debug
        # The streams are held, since Terraform's output is redirected while it runs.
        self.out = terminal(sys.stdout)
        self.err = terminal(sys.stderr)

    @functools.cached_property
    def project(self) -> Project:
        """The checkout we are in."""
        return load_project()

    @functools.cached_property
    def environment(self) -> Environment:
        """The environment chosen for this run."""
        return self.project.environment(self._environment_name)

    @functools.cached_property
    def aws(self) -> "Aws":
        """AWS, or the local target's APIs with the operator's key."""
        from vectorops.aws import Aws, Credentials

        environment = self.environment
        if not environment.is_local:
            return Aws(environment.region, profile=environment.profile)
        from vectorops.local import endpoint

        local = endpoint(environment)
        credentials = Credentials(local.access_key_id, local.secret_access_key)
        return Aws(environment.region, endpoint_url=local.url, credentials=credentials)

    @functools.cached_property
    def terraform(self) -> "Terraform":
        """Terraform in this environment's working folder; not yet initialised."""
        from vectorops.infra.environment import terraform_for

        return terraform_for(self.project, self.environment, self.aws)

    @functools.cached_property
    def stack(self) -> "Stack":
        """What is deployed."""
        from vectorops.infra.stack import Stack

        return Stack.from_outputs(self.terraform.outputs(), self.environment.name)

    @functools.cached_property
    def database_address(self) -> "DatabaseAddress":
        """The vector database, with the login from its managed secret, read now."""
        from vectorops.database.credentials import database_address

        stack = self.stack
        return database_address(
            self.aws.client("secretsmanager"),
            stack.database_secret_arn,
            host=stack.database_host,
            port=stack.database_port,
            name=stack.database_name,
            tunnel=self.environment.database_tunnel,
            is_local=self.environment.is_local,
            ca_folder=self.project.root / ".tools",
        )

    @contextmanager
    def connect(self) -> "Iterator[psycopg.Connection[Any]]":
        """Connect to the vector database for the length of a `with` block."""
        from vectorops.database.connection import connect

        with closing(connect(self.database_address)) as connection:
            yield connection

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and self.err.is_terminal and not self.as_json

    def note(self, message: str) -> None:
        """Say something to the person watching (stderr)."""
        self.err.print(message)

    def emit(self, result: Any, render: Callable[[Console], None]) -> None:
        """Print a result to stdout: as JSON for scripts, else as `render` draws it."""
        if self.as_json:
            typer.echo(json.dumps(to_json(result), indent=2, ensure_ascii=False))
        else:
            render(self.out)

    def confirm(self, question: str, *, answer: str | None = None, assume_yes: bool) -> None:
        """Ask before something that cannot be taken back.

        Args:
            question: What is asked, without the list of answers.
            answer: Word that must be typed; "y" or "yes" when None.
            assume_yes: Whether `--yes` was given.

        Raises:
            UsageError: Nobody is there to answer.
            typer.Abort: The answer was no.
        """
        if assume_yes:
            return
        if not self.interactive:
            raise UsageError(
                "this needs a confirmation, and there is no terminal to ask on", hint="add --yes to go ahead"
            )
        prompt = f"{question} [{answer or 'y/N'}]"
        given = typer.prompt(prompt, default="", show_default=False, err=True).strip()
        if (given != answer) if answer else (given.lower() not in ("y", "yes")):
            raise typer.Abort


def to_json(value: Any) -> Any:
    """Return `value` as lists, dicts and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.tolist() if hasattr(value, "tolist") else str(value)


def state_of(context: typer.Context) -> AppState:
    """Return the state that the root command made."""
    state = context.find_root().obj
    assert isinstance(state, AppState)  # noqa: S101 - the root callback always sets it
    return state
