"""Failed records back into the stream they came from, each once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vectorops.errors import AwsError
from vectorops.streaming.events import any_record
from vectorops.streaming.failures import FailedRecord, read_failures
from vectorops.streaming.objects import DeliveredObject, hour_folder, list_folders, list_objects, read_lines
from vectorops.streaming.pace import Pace, Stop, never
from vectorops.streaming.replay_log import Claim, Note, ReplayLog, TakenError
from vectorops.streaming.sending import MAX_BATCH_RECORDS, batches, put_batch

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

NOTES_PREFIX = "replays/"
# The folder of an error object is the hour in which its first record arrived, which may have waited since.
LONGEST_WAIT = timedelta(days=7)


@dataclass(frozen=True)
class Selection:
    """Which failed records are replayed.

    Attributes:
        since: Those in objects that were written since.
        reason: Those whose error code or message contains this; "" for all.
        include_faulty: Also those that can never succeed, such as what is no JSON.
    """

    since: datetime
    reason: str = ""
    include_faulty: bool = False


@dataclass
class ReplayReport:
    """What was replayed; numbers of records, unless it says otherwise.

    Attributes:
        objects: Error objects that were looked into, or known to be done.
        busy: Those of them that were left to another replay, which is at work on them.
        replayed: Back in the stream; in a dry run, what would be.
        reasons: Of the selected ones, by the code of the error they failed with.
        messages: By code, the message of one of them.
        before: Back in the stream by an earlier replay.
        deselected: Failed for another reason than the wanted one.
        faulty: Left alone since they can never succeed, by reason.
        unreadable: Lines that are no failed record.
        failed: Refused by Kinesis.
        perhaps_twice: Of the replayed ones, those that a replay had begun to send when it was killed.
        is_dry_run: Whether nothing was sent.
        fault: Why replaying ended early, or None.
    """

    objects: int = 0
    busy: int = 0
    replayed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    before: int = 0
    deselected: int = 0
    faulty: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    failed: int = 0
    perhaps_twice: int = 0
    is_dry_run: bool = False
    fault: AwsError | None = None


def find_error_objects(
    s3: "S3Client", bucket: str, errors_prefix: str, since: datetime
) -> Iterator[DeliveredObject]:
    """Yield the error objects that were written since, kind by kind, oldest folder first."""
    oldest = hour_folder(since - LONGEST_WAIT)
    for kind in list_folders(s3, bucket, errors_prefix):
        for found in list_objects(s3, bucket, kind, start_after=kind + oldest):
            if found.landed_at >= since:
                yield found


class Replay:
    """Puts failed records back.

    A note in S3 says which lines of an error object are in the stream again. It is written before and after
    each batch, so a replay that was killed leaves one batch of which nobody knows whether it was sent. The
    next replay sends it again, since a record twice is better than a record lost.

    Args:
        s3: Client that may list and read error objects, and read and write notes.
        kinesis: Client that may put records.
        bucket: Of the error objects.
        errors_prefix: Above the folders of the kinds of errors.
        stream_name: Source of the delivery stream, which takes no records itself.
        rate: Records a second, or None for as many as go.
        is_dry_run: Only count.
        stop: Asked before each batch and each object.
        on_progress: Called with the counts so far after each batch.
    """

    def __init__(
        self,
        s3: "S3Client",
        kinesis: "KinesisClient",
        *,
        bucket: str,
        errors_prefix: str,
        stream_name: str,
        rate: int | None = None,
        is_dry_run: bool = False,
        stop: Stop = never,
        on_progress: Callable[[ReplayReport], None] = lambda _: None,
    ) -> None:
        self._s3 = s3
        self._kinesis = kinesis
        self._bucket = bucket
        self._errors_prefix = errors_prefix
        self._stream_name = stream_name
        self._stop = stop
        self._on_progress = on_progress
        self._log = ReplayLog(s3, bucket, NOTES_PREFIX)
        self._pace = Pace(rate)
        self._batch_records = min(rate or MAX_BATCH_RECORDS, MAX_BATCH_RECORDS)
        self._claim = Claim.new()
        self._report = ReplayReport(is_dry_run=is_dry_run)

    def run(self, selection: Selection) -> ReplayReport:
        """Replay what is selected and was not replayed yet, and return the counts.

        Raises:
            InputDataError: An error object or a note is damaged.
        """
        for found in find_error_objects(self._s3, self._bucket, self._errors_prefix, selection.since):
            if self._stop() or self._report.fault:
                break
            self._report.objects += 1
            try:
                self._replay_object(found.key, selection)
            except TakenError:
                self._report.busy += 1
            self._on_progress(self._report)
        return self._report

    def _replay_object(self, key: str, selection: Selection) -> None:
        note = self._log.read(key)
        if note.claim and not note.claim.is_over():
            raise TakenError(key)
        self._report.before += len(note.replayed)
        if note.is_complete:
            return
        failures, unreadable = read_failures(read_lines(self._s3, self._bucket, key))
        self._report.unreadable += unreadable
        chosen = self._choose(failures, note, selection)
        if self._report.is_dry_run:
            self._report.replayed += len(chosen)
            self._report.perhaps_twice += sum(record.line in note.sending for record in chosen)
        elif chosen:
            self._send(note, chosen, {record.line for record in failures})

    def _choose(
        self, failures: Sequence[FailedRecord], note: Note, selection: Selection
    ) -> list[FailedRecord]:
        chosen = []
        for record in failures:
            if record.line in note.replayed:
                continue
            if not record.is_about(selection.reason):
                self._report.deselected += 1
            elif not selection.include_faulty and (fault := record.fault):
                self._report.faulty[fault] += 1
            else:
                chosen.append(record)
                self._report.reasons[record.error_code] += 1
                self._report.messages[record.error_code] = record.error_message
        return chosen

    def _send(self, note: Note, chosen: Sequence[FailedRecord], lines: set[int]) -> None:
        """Send in batches; before each, write down what it holds and what became of the last one."""
        before, uncertain, rest = note, note.sending, iter(chosen)
        records = (any_record(record.data) for record in chosen)
        for batch in batches(records, most=self._batch_records, pace=self._pace, stop=self._stop):
            sending = [next(rest).line for _ in batch]
            note = self._write(replace(note, sending=note.sending | frozenset(sending)))
            put = put_batch(self._kinesis, self._stream_name, batch, stop=self._stop)
            refused = {sending[index] for index in put.refused}
            done = frozenset(sending) - refused
            self._report.replayed += len(done)
            self._report.failed += len(refused)
            self._report.perhaps_twice += len(done & uncertain)
            self._report.fault = put.fault
            # What a killed replay had left uncertain stays so until it is sent.
            left = (note.sending - frozenset(sending)) | (refused & uncertain)
            note = replace(note, replayed=note.replayed | done, sending=left)
            self._on_progress(self._report)
            if refused:
                break
        if note is not before:
            self._log.write(replace(note, claim=None, is_complete=note.replayed >= lines))

    def _write(self, note: Note) -> Note:
        return self._log.write(replace(note, claim=replace(self._claim, renewed_at=datetime.now(UTC))))
