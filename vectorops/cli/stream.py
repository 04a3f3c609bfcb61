"""`stream`: events in, recommendations out, and what failed in between."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from vectorops.cli.durations import parse_since
from vectorops.cli.progress import LoadProgress
from vectorops.cli.shop import read_shop
from vectorops.cli.state import AppState, state_of, to_json
from vectorops.cli.stopping import stop_on_interrupt
from vectorops.cli.stream_output import (
    recommendation_json,
    recommendation_text,
    show_replayed,
    show_sent,
    show_status,
)
from vectorops.errors import InputDataError, RowsRejectedError

if TYPE_CHECKING:
    from vectorops.streaming.events import Record
    from vectorops.streaming.lines import BadLine
    from vectorops.streaming.pace import Stop
    from vectorops.streaming.sending import SendReport
    from vectorops.streaming.tail import Tail

STDIN = "-"
DEFAULT_COUNT = 1_000
DEFAULT_RATE = 200
LONGEST_LIST = 20
POLL_S = 1.0

Since = Annotated[str, typer.Option(help="How far back: 90s, 30m, 1h, 2d.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(
        no_args_is_help=True, help="Send user activity, watch recommendations land, replay what failed."
    )
    for command in (send, tail, replay, status):
        group.command(command.__name__)(command)
    app.add_typer(group, name="stream")


def send(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Events, one JSON object a line; - for standard input."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many events.", show_default="1000, or all of --file")
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Events a second.", show_default="200; with --file, as many as go"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other events.")] = 1,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="A line that is no event: stop, having sent nothing, or leave it out."),
    ] = "stop",
) -> None:
    """Send user activity to the stream: made-up events of your customers, or those of a file.

    Made-up events are of customers and products in the source database (on AWS, in the training table), and
    say in sent_at when they were sent. Ctrl-C ends after the batch under way and prints what was sent, with
    exit code 130. Exit code 6 means that lines were left out.
    """
    state = state_of(context)
    if file is None:
        total = count or DEFAULT_COUNT
        finish_sending(state, send_made_up(state, total, rate=rate or DEFAULT_RATE, seed=seed), [])
    else:
        with _opened(file) as stream:
            _send_lines(state, stream, count=count, rate=rate, skip_bad=on_error == "skip")


def tail(
    context: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(help="Also what landed this long ago: 90s, 30m, 1h, 2d.", show_default="from now on"),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many.", show_default="go on until Ctrl-C")
    ] = None,
) -> None:
    """Print recommendations as they land in S3, one a line, with the delay since the event was sent.

    Only events that say in sent_at when they were sent have a delay; those of 'stream send' do. It ends where
    the object landed in S3, which AWS tells to the second. With --json, one JSON object a line.
    """
    state = state_of(context)
    following = recommendations_tail(state, parse_since(since) if since else datetime.now(UTC))
    if since is None:
        following.skip_existing()
    place = f"s3://{state.stack.recommendations_bucket}/{state.stack.recommendations_prefix}"
    shown, is_told = 0, False
    while True:
        for found in following.read_new():
            if state.as_json:
                typer.echo(recommendation_json(found))
            else:
                state.out.print(recommendation_text(found), soft_wrap=True)
            shown += 1
            if shown == count:
                return
        if not is_told:
            state.note(f"waiting for objects below {place}; Ctrl-C ends")
            is_told = True
        time.sleep(POLL_S)


def replay(
    context: typer.Context,
    since: Since = "1h",
    reason: Annotated[str, typer.Option(help="Only records whose error code or message contains this.")] = "",
    include_faulty: Annotated[
        bool, typer.Option("--all", help="Also records that can never succeed, such as what is no JSON.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Records a second.", show_default="as many as go")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Put failed records back into the stream, each once, however often this is run.

    Takes the error objects that were written since; what is replayed is noted in S3 batch by batch. After a
    kill, the next replay goes on; only the batch under way may then be in the stream twice.
    """
    from vectorops.streaming.replay import Replay, Selection

    state, stack = state_of(context), state_of(context).stack
    selection = Selection(parse_since(since), reason, include_faulty)
    with (
        stop_on_interrupt(state) as stop,
        LoadProgress(state.err, "Replaying", noun="records") as progress,
    ):
        report = Replay(
            state.aws.client("s3"),
            state.aws.client("kinesis"),
            bucket=stack.recommendations_bucket,
            errors_prefix=stack.errors_prefix,
            stream_name=stack.stream_name,
            rate=rate,
            is_dry_run=dry_run,
            stop=stop,
            on_progress=lambda counts: progress.update(counts.replayed, 0),
        ).run(selection)
        stopped = stop()
    state.emit(report, lambda console: show_replayed(console, report))
    if report.fault:
        raise report.fault
    if stopped:
        raise KeyboardInterrupt


def status(context: typer.Context, since: Since = "1h") -> None:
    """Show the pipeline: its parts, what came in and went out, how late, and what failed.

    Figures are CloudWatch's, by the minute (beyond 15 days by five, beyond 63 by the hour), and a minute or
    two behind on AWS. What has no data says so.
    """
    from vectorops.streaming.status import Clients, Pipeline, pipeline_status

    state, stack = state_of(context), state_of(context).stack
    names = ("kinesis", "firehose", "lambda", "cloudwatch", "s3")
    report = pipeline_status(
        Clients(*(state.aws.client(name) for name in names)),
        Pipeline(
            stream=stack.stream_name,
            delivery_stream=stack.delivery_stream_name,
            functions=(stack.transform_function_name, stack.inference_function_name),
            bucket=stack.recommendations_bucket,
            errors_prefix=stack.errors_prefix,
        ),
        since=parse_since(since),
        until=datetime.now(UTC),
    )
    state.emit(report, lambda console: show_status(console, report))


def send_made_up(state: AppState, total: int, *, rate: int, seed: int) -> "Sending":
    """Send made-up events of the customers and products that the environment has."""
    from vectorops.streaming.sample import generate_events

    shop = read_shop(state)
    state.note(
        f"events of {len(shop.shoppers):,} customers and {len(shop.product_codes):,} products "
        f"in {shop.origin}"
    )
    events = generate_events(shop.shoppers, shop.product_codes, seed=seed)
    return _send(state, lambda _: islice(events, total), total=total, rate=rate)


def recommendations_tail(state: AppState, since: datetime) -> "Tail":
    """Return what reads the recommendations that have landed since."""
    from vectorops.streaming.tail import Tail

    stack, s3 = state.stack, state.aws.client("s3")
    return Tail(s3, stack.recommendations_bucket, stack.recommendations_prefix, since=since)


@dataclass(frozen=True)
class Sending:
    """A sending that has ended.

    Attributes:
        stopped: Whether Ctrl-C ended it.
    """

    report: "SendReport"
    stopped: bool


def finish_sending(state: AppState, sending: Sending, bad: "Sequence[BadLine]") -> None:
    """Print what was sent, and fail where it ended early or left lines out."""
    report = {"stream": state.stack.stream_name, **to_json(sending.report), "skipped": to_json(bad)}
    state.emit(report, lambda console: show_sent(console, report))
    if sending.report.fault:
        raise sending.report.fault
    if sending.stopped:
        raise KeyboardInterrupt


def _send_lines(
    state: AppState, stream: BinaryIO, *, count: int | None, rate: int | None, skip_bad: bool
) -> None:
    from vectorops.streaming.lines import LiveLines, read_events

    bad: list[BadLine] = []
    total = None
    if stream.seekable():
        # Read twice, so that a bad line leaves everything unsent, and the number is known.
        on_bad = bad.append if skip_bad else _refuse
        total = sum(1 for _ in islice(read_events(stream, on_bad), count))
        stream.seek(0)

    def events(stop: "Stop") -> "Iterator[Record]":
        if total is not None:
            return islice(read_events(stream, lambda _: None), count)
        live = read_events(LiveLines(stream.fileno(), stop), bad.append)
        return islice(live if skip_bad else _until_bad(live, bad), count)

    sending = _send(state, events, total=total, rate=rate)
    finish_sending(state, sending, bad)
    if bad and not skip_bad:
        _refuse(bad[0], f"{sending.report.acknowledged:,} before it were sent; ")
    if bad:
        shown = ", ".join(f"line {one.line}: {one.reason}" for one in bad[:LONGEST_LIST])
        raise RowsRejectedError(
            f"{len(bad):,} lines were left out",
            why=shown + (", …" if len(bad) > LONGEST_LIST else ""),
            hint="--json lists all of them",
        )


def _until_bad(events: "Iterator[Record]", bad: "Sequence[BadLine]") -> "Iterator[Record]":
    for event in events:
        if bad:
            return
        yield event


def _send(
    state: AppState, events: "Callable[[Stop], Iterable[Record]]", *, total: int | None, rate: int | None
) -> Sending:
    from vectorops.streaming.sending import send_records

    stack = state.stack
    with (
        stop_on_interrupt(state) as stop,
        LoadProgress(state.err, f"Sending to {stack.stream_name}", noun="events") as progress,
    ):
        report = send_records(
            state.aws.client("kinesis"),
            stack.stream_name,
            events(stop),
            total=total,
            rate=rate,
            stop=stop,
            on_progress=lambda counts: progress.update(counts.acknowledged, 0),
        )
        return Sending(report, stop())


def _opened(file: str) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as exc:
        raise InputDataError(f"cannot read {file}", why=exc.strerror or str(exc)) from exc


def _refuse(line: "BadLine", already: str = "nothing was sent; ") -> None:
    from vectorops.streaming.lines import EXPLANATIONS

    raise InputDataError(
        f"line {line.line} is no event",
        why=EXPLANATIONS[line.reason],
        hint=f"{already}mend it, or leave such lines out with --on-error skip",
    )
