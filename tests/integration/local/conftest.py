"""Local targets of their own, in throw-away projects."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.local.local_targets import environment_in, operator_of
from vectorops.aws import Aws
from vectorops.local import down, up
from vectorops.settings import Environment

MakeEnvironment = Callable[[str], Environment]


@pytest.fixture
def make_environment(tmp_path: Path) -> Iterator[MakeEnvironment]:
    """Make environments in projects named by the argument; what runs in them is stopped afterwards."""
    made: list[Environment] = []

    def make(project: str) -> Environment:
        made.append(environment_in(tmp_path / project))
        return made[-1]

    yield make
    for environment in made:
        down(environment)


@pytest.fixture
def environment(make_environment: MakeEnvironment) -> Environment:
    return make_environment("project")


@pytest.fixture(scope="session")
def shared_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One running local target for all tests that leave it as they found it."""
    environment = environment_in(tmp_path_factory.mktemp("shared"))
    up(environment)
    yield environment
    down(environment)


@pytest.fixture(scope="session")
def operator(shared_environment: Environment) -> Aws:
    """The shared local target with the operator's key."""
    return operator_of(shared_environment)
