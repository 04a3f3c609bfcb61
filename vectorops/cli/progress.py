"""Progress on stderr: live where somebody watches, a line at a time in a log."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.spinner import Spinner
from rich.text import Text

if TYPE_CHECKING:
    from vectorops.database.index_progress import BuildProgress
    from vectorops.database.index_tune import TuneStep

LONGEST_LIST = 8


class ResourceProgress:
    """Shows Terraform's events: what is being worked on, since when, and what is done.

    Args:
        console: Where to show it.
        title: Such as "Applying".
        total: Number of resources, when known.
    """

    def __init__(self, console: Console, title: str, *, total: int | None = None) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._running: dict[str, float] = {}
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, transient=True, refresh_per_second=8, redirect_stdout=False)

    def __enter__(self) -> "ResourceProgress":
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(f"{self._title}…")
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take one line of Terraform's `-json` output."""
        hook = event.get("hook", {})
        if hook.get("action") == "read":
            return
        address = hook.get("resource", {}).get("addr", "")
        if event.get("type") == "apply_start":
            self._running[address] = time.monotonic()
        elif event.get("type") in ("apply_complete", "apply_errored"):
            self._finish(address, failed=event["type"] == "apply_errored")

    def _finish(self, address: str, *, failed: bool) -> None:
        elapsed = time.monotonic() - self._running.pop(address, time.monotonic())
        self._done += 1
        mark = "[red]✗[/red]" if failed else "[green]✓[/green]"
        self._console.print(f"  {mark} {escape(address)} [dim]{elapsed:.0f} s[/dim]")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title with the time so far, then the oldest resources being worked on."""
        now = time.monotonic()
        count = f" {self._done}/{self._total}" if self._total else ""
        self._spinner.update(text=Text(f"{self._title}{count} · {now - self._started:.0f} s"))
        yield self._spinner
        oldest = sorted(self._running.items(), key=lambda item: item[1])[:LONGEST_LIST]
        for address, since in oldest:
            yield Text(f"    {address} {now - since:.0f} s", style="dim")
        if len(self._running) > LONGEST_LIST:
            yield Text(f"    and {len(self._running) - LONGEST_LIST} more", style="dim")


class _Bar:
    """A bar that moves where somebody watches."""

    _console: Console
    _bar: Progress

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()


class LoadProgress(_Bar):
    """Shows rows, or what else is counted, how many a second and, where the size is known, the time left.

    Args:
        console: Where to show it.
        title: Such as "Loading item_emb".
        total_bytes: Size of all that will be read, or None.
        noun: What is counted.
    """

    LOG_INTERVAL_S = 10.0

    def __init__(
        self, console: Console, title: str, *, total_bytes: int | None = None, noun: str = "rows"
    ) -> None:
        self._console = console
        self._title = escape(title)
        self._noun = noun
        self._rows = 0
        self._started = self._logged = time.monotonic()
        columns: list[ProgressColumn] = [TextColumn("{task.description}")]
        if total_bytes:
            columns += [BarColumn(), TaskProgressColumn()]
        columns += [TextColumn(f"{{task.fields[rows]:,}} {noun} · {{task.fields[rate]:,.0f}} {noun}/s")]
        if total_bytes:
            columns += [TimeRemainingColumn()]
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task(self._title, total=total_bytes, rows=0, rate=0.0)

    def advance(self, rows: int) -> None:
        """Take a number of rows that were just done."""
        self.update(self._rows + rows, 0)

    def update(self, rows: int, bytes_read: int) -> None:
        """Take the rows and the bytes done so far."""
        self._rows = rows
        now = time.monotonic()
        rate = rows / (now - self._started) if now > self._started else 0.0
        self._bar.update(self._task, completed=bytes_read, rows=rows, rate=rate)
        if not self._console.is_terminal and now - self._logged >= self.LOG_INTERVAL_S:
            self._logged = now
            self._console.print(f"{self._title}: {rows:,} {self._noun}, {rate:,.0f} {self._noun}/s")


class IndexBuildProgress(_Bar):
    """Shows the phase of an index build, its share of the table, the rows that are in, and the time.

    Args:
        console: Where to show it.
        title: Such as "Indexing item_emb".
    """

    LOG_INTERVAL_S = 10.0

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = escape(title)
        self._phase = ""
        self._logged = time.monotonic()
        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
        columns += [TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn()]
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task(self._title, total=None, rows=0)

    def update(self, progress: "BuildProgress") -> None:
        """Take a moment of the build; may be called on another thread."""
        self._bar.update(
            self._task,
            description=f"{self._title}: {progress.phase}",
            completed=progress.blocks_done,
            total=progress.blocks_total or None,
            rows=progress.rows,
        )
        now = time.monotonic()
        is_due = progress.phase != self._phase or now - self._logged >= self.LOG_INTERVAL_S
        if not self._console.is_terminal and is_due:
            self._phase, self._logged = progress.phase, now
            rows = f", {progress.rows:,} rows" if progress.rows else ""
            self._console.print(f"{self._title}: {progress.phase}{rows}, {progress.elapsed_s:.0f} s")


class MeasureProgress:
    """Shows how many exact searches are done, then what was measured.

    Args:
        console: Where to show it.
        title: Such as "Tuning item_emb".
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = escape(title)
        self._status = console.status(f"{self._title}…")

    def __enter__(self) -> "MeasureProgress":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def on_truth(self, done: int, total: int) -> None:
        """Take how many exact searches are done."""
        self._status.update(f"{self._title}: {done} of {total} exact searches")

    def on_step(self, step: "TuneStep") -> None:
        """Take one ef_search that was tried."""
        self.say(f"ef_search {step.ef_search} finds {step.recall:.3f}")

    def say(self, what: str) -> None:
        """Take something that was measured."""
        self._status.update(f"{self._title}: {what}")
        if not self._console.is_terminal:
            self._console.print(f"{self._title}: {what}")
