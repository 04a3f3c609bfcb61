import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from vectorops.cli.glue import show_runs
from vectorops.cli.main import app
from vectorops.jobs.runs import JobRun

RUN = f"jr_{'0123456789abcdef' * 4}"
MOMENT = datetime(2026, 11, 21, 13, 39, 18, tzinfo=UTC)


def test_a_run_is_shown_with_an_id_to_copy_however_narrow_the_terminal() -> None:
    run = JobRun(RUN, "etl", "FAILED", MOMENT, MOMENT, 32, "[/x] no table", {}, "G.1X", 2, 0, "/logs")
    screen = io.StringIO()
    show_runs(Console(file=screen, width=60), "etl", [run])
    assert f"  {RUN}\n" in screen.getvalue()
    assert "[/x] no table" in screen.getvalue()


@pytest.mark.parametrize("path", ["none/rejects.csv", "taken.csv"])
def test_a_place_that_rejects_cannot_take_is_refused_before_a_run_starts(tmp_path: Path, path: str) -> None:
    (tmp_path / "taken.csv").touch()
    target = tmp_path / path
    arguments = ["load-embeddings", "s3://bucket/key", "--table", "t", "--engine", "glue", "--rejects"]
    answer = CliRunner().invoke(app, [*arguments, str(target)])
    assert answer.exit_code == 2
    assert "rejects" in answer.stderr
