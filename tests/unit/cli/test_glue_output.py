import io
from datetime import UTC, datetime

from rich.console import Console

from vectorops.cli.glue import show_runs
from vectorops.jobs.runs import JobRun

RUN = f"jr_{'0123456789abcdef' * 4}"
MOMENT = datetime(2026, 11, 21, 13, 39, 18, tzinfo=UTC)


def test_a_run_is_shown_with_an_id_to_copy_however_narrow_the_terminal() -> None:
    run = JobRun(RUN, "etl", "FAILED", MOMENT, MOMENT, 32, "[/x] no table", {}, "G.1X", 2, 0, "/logs")
    screen = io.StringIO()
    show_runs(Console(file=screen, width=60), "etl", [run])
    assert f"  {RUN}\n" in screen.getvalue()
    assert "[/x] no table" in screen.getvalue()
