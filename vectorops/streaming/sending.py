"""Putting records into a stream: full batches, a rate, and what was refused sent again."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import AwsError
from vectorops.streaming.events import Record
from vectorops.streaming.pace import Pace, Stop, never, pause

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_BATCH_RECORDS = 500
# Kinesis took 5 MiB for most of its life, and takes 10 MiB now; more than five would save nothing.
MAX_BATCH_BYTES = 5 * 1024 * 1024
# A shard's limits are per second, so that a wait of seconds helps; 21 s in all.
RETRY_WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0)
# However long single calls hang. A replay's claim lasts longer.
_GIVE_UP_AFTER_S = 300.0
_PASSING_CODES = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)
_HINTS = {
    "ResourceNotFoundException": "run 'vectorops deploy', which makes the stream",
    "AccessDeniedException": "sending needs kinesis:PutRecords on the stream",
}


@dataclass(frozen=True)
class Put:
    """What became of one batch.

    Attributes:
        refused: Indexes of the records that are not in the stream, as far as is known.
        resent: Records that were sent again; one that was sent three times counts twice.
        errors: How often each error code was met.
        fault: Why sending cannot go on, or None.
    """

    refused: Sequence[int]
    resent: int
    errors: Counter[str]
    fault: AwsError | None


@dataclass
class SendReport:
    """What was sent.

    Attributes:
        acknowledged: Records that Kinesis has taken.
        failed: Records that it has not taken, however often they were sent.
        unsent: Records that were not sent any more; None where nobody knows how many there are.
        resent: Records that were sent again; one that was sent three times counts twice.
        errors: How often each error code was met.
        elapsed_s: Time it took.
        fault: Why sending ended early, or None.
    """

    acknowledged: int = 0
    failed: int = 0
    unsent: int | None = None
    resent: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0
    fault: AwsError | None = None


def send_records(
    kinesis: "KinesisClient",
    stream_name: str,
    records: Iterable[Record],
    *,
    total: int | None = None,
    rate: int | None = None,
    stop: Stop = never,
    on_progress: Callable[[SendReport], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SendReport:
    """Put records into a stream, at least once each; a lost answer of Kinesis puts a batch there twice.

    Batches are as large as Kinesis allows, but hold no more than a second of the rate.

    Args:
        kinesis: Client that may put records.
        stream_name: The stream.
        records: Read lazily: a batch is taken just before it is sent.
        total: How many there are, if that is known.
        rate: Records a second, or None for as many as go.
        stop: Asked before each batch and each repetition; what is under way is brought to its end.
        on_progress: Called with the counts so far after each batch.
        clock: Seconds that only go forward.
        sleep: Waits; takes seconds.

    Returns:
        Counts. A failure that waiting does not mend ends the sending, and is in `fault`.
    """
    report, started = SendReport(), clock()
    pace = Pace(rate, clock=clock, sleep=sleep)
    for batch in batches(records, most=max(1, rate) if rate else MAX_BATCH_RECORDS, pace=pace, stop=stop):
        put = put_batch(kinesis, stream_name, batch, stop=stop, clock=clock, sleep=sleep)
        report.acknowledged += len(batch) - len(put.refused)
        report.failed += len(put.refused)
        report.resent += put.resent
        report.errors += put.errors
        report.elapsed_s = clock() - started
        report.fault = put.fault
        on_progress(report)
        if put.refused:
            break
    report.elapsed_s = clock() - started
    if total is not None:
        report.unsent = total - report.acknowledged - report.failed
    return report


def batches(
    records: Iterable[Record], *, most: int = MAX_BATCH_RECORDS, pace: Pace, stop: Stop = never
) -> Iterator[list[Record]]:
    """Yield records in batches that PutRecords takes, each when the pace allows, until `stop`."""
    source = iter(records)
    held: Record | None = None
    while True:
        pace.wait(stop)
        if stop():
            return
        batch, size = ([held], held.size_bytes) if held else ([], 0)
        held = None
        while len(batch) < min(most, MAX_BATCH_RECORDS) and (record := next(source, None)):
            if batch and size + record.size_bytes > MAX_BATCH_BYTES:
                held = record
                break
            batch.append(record)
            size += record.size_bytes
        if not batch:
            return
        pace.take(len(batch))
        yield batch


def put_batch(
    kinesis: "KinesisClient",
    stream_name: str,
    batch: Sequence[Record],
    *,
    stop: Stop = never,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Put:
    """Put one batch, and again those of its records that were refused, with growing waits.

    Args:
        kinesis: Client that may put records.
        stream_name: The stream.
        batch: Within the limits of PutRecords.
        stop: Asked before each repetition.
        clock: Seconds that only go forward.
        sleep: Waits; takes seconds.
    """
    pending, errors, resent, started = list(range(len(batch))), Counter[str](), 0, clock()
    for wait in (*RETRY_WAITS_S, None):
        unreachable: BotoCoreError | None = None
        try:
            codes = _put(kinesis, stream_name, [batch[index] for index in pending])
        except (ClientError, BotoCoreError) as exc:
            unreachable = exc if isinstance(exc, BotoCoreError) else None
            code = exc.response["Error"]["Code"] if isinstance(exc, ClientError) else type(exc).__name__
            if isinstance(exc, ClientError) and code not in _PASSING_CODES:
                errors[code] += len(pending)
                return Put(pending, resent, errors, _fault(stream_name, code, str(exc)))
            codes = [code] * len(pending)
        errors.update(code for code in codes if code)
        pending = [index for index, code in zip(pending, codes, strict=True) if code]
        if not pending or wait is None or stop() or clock() - started > _GIVE_UP_AFTER_S:
            break
        pause(wait, stop, sleep=sleep)
        resent += len(pending)
    if not pending or stop():
        return Put(pending, resent, errors, None)
    fault = _unreachable(stream_name, unreachable) if unreachable else _refused(stream_name, errors)
    return Put(pending, resent, errors, fault)


def _put(kinesis: "KinesisClient", stream_name: str, records: Sequence[Record]) -> list[str]:
    """Return for each record the code of its error, or "" when Kinesis has taken it."""
    answer = kinesis.put_records(
        StreamName=stream_name,
        Records=[{"Data": record.data, "PartitionKey": record.partition_key} for record in records],
    )
    return [entry.get("ErrorCode", "") for entry in answer["Records"]]


def _fault(stream_name: str, code: str, why: str) -> AwsError:
    return AwsError(f"cannot send to stream '{stream_name}'", why=why, hint=_HINTS.get(code, ""))


def _unreachable(stream_name: str, error: BotoCoreError) -> AwsError:
    hint = "run 'vectorops doctor'; then send the rest"
    return AwsError(f"stream '{stream_name}' cannot be reached", why=str(error), hint=hint)


def _refused(stream_name: str, errors: Counter[str]) -> AwsError:
    return AwsError(
        f"stream '{stream_name}' goes on refusing records",
        why=", ".join(f"{code} {count} times" for code, count in errors.most_common()),
        hint="lower --rate, or give the stream more shards; then send the rest",
    )
