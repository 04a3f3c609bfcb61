"""One stack, deployed by Terraform to a local target of its own."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.cli import Answer, Cli, make_project

HERE = Path(__file__).parent

# Whoever ends the tests wants the stacks removed, too.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, rebuilt: object) -> Iterator[Cli]:
    """The CLI, with the stack deployed and the schema applied."""
    cli = make_project(tmp_path_factory.mktemp("stack"))
    try:
        deployed = cli.run("deploy", "--yes")
        assert deployed.code == 0, deployed.err + cli.run("local", "logs").out
        cli.ok("schema", "apply")
        yield cli
    finally:
        cli.run("local", "reset", "--yes")


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[list[Answer]]]:
    """Answers of deploy, destroy, deploy and plan of a second stack.

    They are made while the other tests run: nearly all of their time is the provider waiting.
    """
    cli = make_project(tmp_path_factory.mktemp("rebuilt"))
    commands = (("deploy", "--yes"), ("destroy", "--yes"), ("deploy", "--yes"), ("plan",))
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(lambda: [cli.run(*command, "--json") for command in commands])
    cli.run("local", "reset", "--yes")
