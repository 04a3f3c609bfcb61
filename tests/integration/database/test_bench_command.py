"""`vectorops bench` on a table."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import FilledTable, clustered_vectors

Connection = psycopg.Connection[Any]


@pytest.fixture
def items(vector_database: Connection, fill: FilledTable) -> str:
    fill(clustered_vectors(3_000, 32))
    vector_database.execute("ALTER TABLE items ADD price int")
    vector_database.execute("UPDATE items SET price = id % 10")
    vector_database.execute("VACUUM ANALYZE items")
    return "items"


class Page(HTMLParser):
    """Counts tags, and notes what would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]


def test_indexed_and_exact_searches_are_measured_and_drawn(
    commands: Commands, items: str, tmp_path: Path
) -> None:
    chart = tmp_path / "chart.html"
    arguments = ["bench", items, "--concurrency", "1,3", "--seconds", "0.2", "--queries", "20"]
    report = commands.json(*arguments, "--chart", str(chart))
    assert [(one["kind"], one["concurrency"]) for one in report["points"]] == [
        ("indexed", 1),
        ("indexed", 3),
        ("exact", 1),
        ("exact", 3),
    ]
    for one in report["points"]:
        assert one["searches"] >= one["concurrency"]
        assert 0 < one["median_ms"] <= one["p99_ms"]
    assert report["index"] == "items_embedding_idx"
    assert 0.8 < report["recall"] <= 1
    page = Page()
    page.feed(chart.read_text())
    assert page.tags["svg"] == 2
    assert page.tags["polyline"] == 2 + 4
    assert page.tags["circle"] == 4 + 8
    assert page.tags["tr"] == 1 + 4
    assert page.fetched == []


def test_the_chart_has_a_name_of_its_own_and_escapes_what_is_not(
    commands: Commands, items: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--no-exact", "--concurrency", "1", "--seconds", "0.1", "--queries", "5"]
    shown = commands.run("bench", items, *arguments, "--where", "price < 5")
    assert shown.exit_code == 0
    assert "where price < 5" in shown.stdout
    assert "chart: bench-items.html" in shown.stderr
    assert "price &lt; 5" in (tmp_path / "bench-items.html").read_text()


def test_a_table_without_an_index_is_exact(
    vector_database: Connection, commands: Commands, items: str, tmp_path: Path
) -> None:
    vector_database.execute("DROP INDEX items_embedding_idx")
    arguments = ["--concurrency", "2", "--seconds", "0.1", "--queries", "5"]
    shown = commands.run("bench", items, *arguments, "--chart", str(tmp_path / "c.html"))
    assert "PostgreSQL compared every row: exact" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--concurrency", "1,two"], "is no list of numbers"),
        (["--concurrency", "0"], "is no list of numbers"),
        (["--where", "cost = 1"], "no column 'cost'"),
        (["--ef-search", "5"], "ef_search cannot be 5"),
    ],
)
def test_options_that_measure_nothing_are_refused(
    commands: Commands, items: str, arguments: list[str], message: str
) -> None:
    answer = commands.run("bench", items, *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_json_can_be_read_by_machines(commands: Commands, items: str, tmp_path: Path) -> None:
    arguments = ["--no-exact", "--concurrency", "1", "--seconds", "0.1", "--chart", str(tmp_path / "c.html")]
    answer = commands.run("bench", items, *arguments, as_json=True)
    assert set(json.loads(answer.stdout)) >= {"table", "rows", "recall", "k", "index", "ef_search", "points"}


def test_a_chart_that_cannot_be_written_costs_no_measurement(
    commands: Commands, items: str, tmp_path: Path
) -> None:
    arguments = ["--no-exact", "--concurrency", "1", "--seconds", "0.1", "--queries", "5", "--chart"]
    missing = commands.run("bench", items, *arguments, str(tmp_path / "none" / "c.html"))
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "there is no folder" in missing.stderr
    assert "searches/s" not in missing.stderr
    refused = commands.run("bench", items, *arguments, str(tmp_path / ("c" * 300)))
    assert refused.exit_code == 2
    assert "recall@10" in refused.stdout
    assert "cannot write the chart to" in refused.stderr
