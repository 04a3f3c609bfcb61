"""The streaming path of a deployed environment, end to end: events in, recommendations out, none twice.

The delay of an event runs from when it was made to when its recommendation was seen in S3. It stands beside
what the delivery stream's buffering hints allow: the transform's seconds and the delivery's.

    make demo && .venv/bin/python -m benchmarks.stream --events 10000 --rate 1000
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np

from vectorops.cli.state import AppState
from vectorops.source.sample import generate_sample
from vectorops.streaming.sample import SENT_AT, Shopper, generate_events
from vectorops.streaming.sending import send_records
from vectorops.streaming.tail import Tail

_PAUSE_S = 0.05
_PATIENCE_S = 600


@dataclass(frozen=True)
class Figures:
    """What became of the events; times in seconds.

    Attributes:
        hints_s: What the buffering hints allow an event to wait.
        sending_s: From the first event sent to the last.
        drained_s: From the last event sent to the last recommendation seen.
    """

    events: int
    delivered: int
    delivered_twice: int
    objects: int
    median_delay_s: float
    p99_delay_s: float
    longest_delay_s: float
    hints_s: float
    sending_s: float
    drained_s: float


def main() -> None:
    """Send, watch, and print the figures; the exit code tells whether every event was delivered once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument(
        "--environment", default="local", help="one that is deployed and has a model and items"
    )
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=None, help="events a second; as many as go when left out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(AppState(options.environment), options.events, options.rate)
    print(json.dumps(asdict(figures), indent=2) if options.json else _text(figures))
    if figures.delivered != figures.events or figures.delivered_twice:
        sys.exit("not every event was delivered once")


def measure(state: AppState, events: int, rate: int | None) -> Figures:
    """Send `events` events and wait for their recommendations."""
    stack, aws = state.stack, state.aws
    tail = Tail(
        aws.client("s3"), stack.recommendations_bucket, stack.recommendations_prefix, since=datetime.now(UTC)
    )
    tail.skip_existing()
    seed = time.time_ns()
    sender = threading.Thread(
        target=_send, args=(aws.client("kinesis"), stack.stream_name, events, rate, seed)
    )
    began = time.monotonic()
    sender.start()
    seen: Counter[str] = Counter()
    delays: list[float] = []
    objects: set[str] = set()
    sent = None
    while len(seen) < events and time.monotonic() - began < _PATIENCE_S:
        for found in tail.read_new():
            assert found.event is not None, found.text
            seen[found.event["session_id"]] += 1
            delays.append((datetime.now(UTC) - datetime.fromisoformat(found.event[SENT_AT])).total_seconds())
            objects.add(found.key)
        if sent is None and not sender.is_alive():
            sent = time.monotonic()
        time.sleep(_PAUSE_S)
    ended = time.monotonic()
    sender.join()
    sent = sent or ended
    return Figures(
        events=events,
        delivered=len(seen),
        delivered_twice=sum(count > 1 for count in seen.values()),
        objects=len(objects),
        median_delay_s=float(np.median(delays)),
        p99_delay_s=float(np.percentile(delays, 99)),
        longest_delay_s=max(delays),
        hints_s=_hints_s(aws.client("firehose"), stack.delivery_stream_name),
        sending_s=sent - began,
        drained_s=ended - sent,
    )


def _send(kinesis: Any, stream: str, events: int, rate: int | None, seed: int) -> None:
    data = generate_sample()
    shoppers = [Shopper(int(row[0]), None, None, None) for row in data.customers]
    codes = [str(row[0]) for row in data.products]
    records = islice(generate_events(shoppers, codes, seed=seed), events)
    report = send_records(kinesis, stream, records, total=events, rate=rate)
    assert report.acknowledged == events, report


def _hints_s(firehose: Any, name: str) -> float:
    described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    target = described["Destinations"][0]["ExtendedS3DestinationDescription"]
    processors = target["ProcessingConfiguration"]["Processors"]
    parameters = {
        one["ParameterName"]: one["ParameterValue"]
        for processor in processors
        for one in processor["Parameters"]
    }
    # 60 s is what Firehose takes when nothing is said.
    transform_s = float(parameters.get("BufferIntervalInSeconds", 60))
    return transform_s + float(target["BufferingHints"]["IntervalInSeconds"])


def _text(figures: Figures) -> str:
    lines = (
        f"{figures.events:,} events sent in {figures.sending_s:.1f} s",
        f"{figures.delivered:,} delivered in {figures.objects} objects, {figures.delivered_twice} twice",
        f"all seen {figures.drained_s:.1f} s after the last was sent",
        f"delay: median {figures.median_delay_s:.1f} s, 99th percentile {figures.p99_delay_s:.1f} s, "
        f"longest {figures.longest_delay_s:.1f} s; the hints allow {figures.hints_s:.0f} s",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
