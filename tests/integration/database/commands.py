"""Running commands against the database of a test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from vectorops.cli.main import app
from vectorops.cli.state import AppState
from vectorops.database.connection import DatabaseAddress, connect


class ConnectedState(AppState):
    """The state of a command, connected to a database that nothing was deployed for."""

    def __init__(self, address: DatabaseAddress, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        self._address = address

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        with connect(self._address) as opened:
            yield opened


@dataclass(frozen=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str


class Commands:
    """`vectorops …` on the database at `address`."""

    def __init__(self, address: DatabaseAddress, capsys: pytest.CaptureFixture[str]) -> None:
        self._address = address
        self._capsys = capsys

    def run(self, *arguments: str, as_json: bool = False) -> Answer:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app(list(arguments), obj=ConnectedState(self._address, as_json=as_json))
        written = self._capsys.readouterr()
        return Answer(int(ended.value.code or 0), written.out, written.err)

    def json(self, *arguments: str) -> Any:
        answer = self.run(*arguments, as_json=True)
        assert answer.exit_code == 0, answer.stderr
        return json.loads(answer.stdout)
