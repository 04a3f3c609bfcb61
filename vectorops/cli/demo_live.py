"""The live end of the demo: events in, recommendations out."""

import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from vectorops.cli.progress import LoadProgress
from vectorops.cli.state import AppState
from vectorops.cli.stream import POLL_S, recommendations_tail, send_made_up
from vectorops.cli.stream_output import recommendation_text
from vectorops.errors import JobFailedError

if TYPE_CHECKING:
    from vectorops.streaming.tail import Recommendation, Tail

EVENTS = 300
RATE = 200
EXAMPLES = 3
# Without a single new recommendation; the buffering hints are seconds, a cold start some more.
PATIENCE_S = 120.0


def stream_events(state: AppState) -> tuple[str, bool]:
    """Send events and wait until their recommendations have landed, unless there are some already."""
    from vectorops.streaming.objects import list_objects

    stack, s3 = state.stack, state.aws.client("s3")
    objects = sum(1 for _ in list_objects(s3, stack.recommendations_bucket, stack.recommendations_prefix))
    if objects:
        return f"already there: {objects:,} objects with recommendations", False
    tail = recommendations_tail(state, datetime.now(UTC))
    sending = send_made_up(state, EVENTS, rate=RATE, seed=1)
    if sending.report.fault:
        raise sending.report.fault
    if sending.stopped:
        raise KeyboardInterrupt
    landed = _wait(state, tail, EVENTS)
    delay_s = statistics.median(found.delay_s for found in landed if found.delay_s is not None)
    return f"{EVENTS:,} events sent, {len(landed):,} recommendations, half within {delay_s:.1f} s", True


def latest_recommendations(state: AppState) -> "list[Recommendation]":
    """Return some of the recommendations that landed last."""
    from vectorops.streaming.objects import list_objects, read_lines
    from vectorops.streaming.tail import read_recommendation

    stack, s3 = state.stack, state.aws.client("s3")
    found = list_objects(s3, stack.recommendations_bucket, stack.recommendations_prefix)
    last = max(found, key=lambda one: one.landed_at)
    lines = read_lines(s3, stack.recommendations_bucket, last.key)
    return [read_recommendation(last, line) for line in lines[:EXAMPLES]]


def show_live(console: Console, found: "list[Recommendation]") -> None:
    """Print recommendations, one a line."""
    console.print("\n[bold]Recommendations as they landed in S3[/bold]")
    for one in found:
        console.print(recommendation_text(one), soft_wrap=True)


def _wait(state: AppState, tail: "Tail", count: int) -> "list[Recommendation]":
    landed: list[Recommendation] = []
    changed_at = time.monotonic()
    with LoadProgress(state.err, "Waiting for S3", noun="recommendations") as progress:
        while len(landed) < count:
            before = len(landed)
            landed += tail.read_new()
            progress.update(len(landed), 0)
            if len(landed) > before:
                changed_at = time.monotonic()
            elif time.monotonic() - changed_at > PATIENCE_S:
                raise JobFailedError(
                    f"{len(landed):,} of {count:,} recommendations have landed, and no more come",
                    hint="see 'vectorops stream status' and 'vectorops stream replay --dry-run'",
                )
            time.sleep(POLL_S)
    return landed
