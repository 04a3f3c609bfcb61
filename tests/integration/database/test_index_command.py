"""`vectorops index …` from the command line to the database."""

from typing import Any

import psycopg
import pytest

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import FilledTable, clustered_vectors

Connection = psycopg.Connection[Any]
VECTORS = clustered_vectors(1_000, 32)


@pytest.fixture
def items(fill: FilledTable) -> str:
    fill(VECTORS)
    return "items"


def test_the_proposed_command_builds_the_proposed_index(commands: Commands, items: str) -> None:
    plan = commands.json("index", "plan", items, "--sample", "200", "--type", "halfvec", "--workers", "0")
    assert plan["proposed"]["type"] == "halfvec"
    assert 0 < plan["sample_rows"] <= 200  # whole pages are sampled
    built = commands.run(*plan["command"].split()[1:])
    assert built.exit_code == 0
    assert "Built items_embedding_halfvec_cosine_idx" in built.stdout
    assert "in the place of: items_embedding_idx" in built.stdout
    assert "next: vectorops index tune public.items" in built.stderr
    [index] = commands.json("index", "list", items)
    assert (index["name"], index["key"]) == ("items_embedding_halfvec_cosine_idx", "halfvec")
    again = commands.run(*plan["command"].split()[1:])
    assert "There is such an index already" in again.stdout
    assert commands.json(*plan["command"].split()[1:], "--rebuild")["was_built"]


def test_a_plan_for_another_server_is_shown(commands: Commands, items: str) -> None:
    shown = commands.run("index", "plan", items, "--instance-class", "db.r6g.large", "--sample", "0")
    assert "instance class db.r6g.large: memory 16 GiB, 2 processors" in shown.stdout
    assert "next: vectorops index build public.items --type vector" in shown.stdout
    assert "4 ACU: memory 8 GiB;" in commands.run("index", "plan", items, "--acu", "4").stdout
    assert "memory 2 GiB;" in commands.run("index", "plan", items, "--instance-memory", "2GB").stdout


def test_a_blocking_build_that_keeps_the_other_index(commands: Commands, items: str) -> None:
    report = commands.json(
        "index", "build", items, "--type", "bit", "--blocking", "--keep", "--memory", "70MB"
    )
    assert (report["was_built"], report["replaced"]) == (True, [])
    assert len(commands.json("index", "list", items)) == 2


def test_the_list_shows_tables_without_an_index(
    commands: Commands, items: str, vector_database: Connection
) -> None:
    vector_database.execute("DROP INDEX items_embedding_idx")
    assert "none" in commands.run("index", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "items", "--acu", "1", "--instance-class", "db.r6g.large"], "give one of them"),
        (["plan", "items", "--instance-class", "db.q1.large"], "--instance-memory"),
        (["build", "items", "--memory", "lots"], "'lots' is not a size"),
        (["build", "items", "--m", "1"], "m cannot be 1"),
        (["build", "items", "--type", "bit", "--metric", "l2"], "bits cannot serve l2"),
    ],
)
def test_options_that_cannot_be_are_refused(
    commands: Commands, items: str, arguments: list[str], message: str
) -> None:
    answer = commands.run("index", *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr
