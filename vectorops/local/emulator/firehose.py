"""Firehose: delivery streams collect, transform and deliver as they are told to.

The library calls the transform and writes an object for every single record while it is sent, delivers what a
failed transform was given, and forgets the time zone.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, get_region
from ministack.services import cloudwatch, firehose

from vectorops.aws import Aws, Credentials
from vectorops.local.control import LocalEndpoint
from vectorops.local.delivery.delivery import Surroundings
from vectorops.local.delivery.pump import Pump
from vectorops.local.emulator import kinesis
from vectorops.local.emulator.mending import Function, need, replace

Request = dict[str, Any]

_DESCRIPTION = "ExtendedS3DestinationDescription"
_ERROR_TYPE = "!{firehose:error-output-type}"
_TRANSFORM_HINTS = ("BufferSizeInMBs", "BufferIntervalInSeconds")
_NOT_DONE_HERE = ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration")


class DeliveryStreams:
    """The delivery streams of this process, each with a thread of its own.

    Args:
        folder: Where each keeps its position in its stream.
        endpoint: Where the AWS APIs of this process are.
        on_change: Called when something has changed outside a request.
    """

    def __init__(self, folder: Path, endpoint: LocalEndpoint, on_change: Callable[[], None]) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._on_change = on_change
        self._lock = threading.Lock()
        self._pumps: dict[str, Pump] = {}

    def run(self) -> None:
        """Begin with those that were restored; the APIs must be served."""
        for name, stream in firehose._streams.items():
            self._start(name, stream)

    def close(self) -> None:
        """Stop all; what they have not delivered stays in their sources."""
        with self._lock:
            pumps = list(self._pumps.values())
        for pump in pumps:
            pump.stop()

    def create(self, original: Function) -> Function:
        """CreateDeliveryStream: refuse what is not done here, and begin to deliver."""

        def create_delivery_stream(data: Request) -> Any:
            if data.get("DeliveryStreamType") != "KinesisStreamAsSource":
                return _invalid("The local target delivers from Kinesis streams only.")
            if fault := _fault(data.get("ExtendedS3DestinationConfiguration")):
                return _invalid(fault)
            response = original(data)
            name = data["DeliveryStreamName"]
            if response[0] == 200:
                self._start(name, firehose._streams[name])
            return response

        return create_delivery_stream

    def delete(self, original: Function) -> Function:
        """DeleteDeliveryStream: end its thread first."""

        def delete_delivery_stream(data: Request) -> Any:
            with self._lock:
                pump = self._pumps.pop(data["DeliveryStreamName"], None)
            if pump:
                pump.stop()
                pump.forget()
            return original(data)

        return delete_delivery_stream

    def update(self, original: Function) -> Function:
        """UpdateDestination: what comes next is delivered by the new settings."""

        def update_destination(data: Request) -> Any:
            stream = firehose._streams.get(data["DeliveryStreamName"])
            before = stream["destinations"][0]["config"] if stream else {}
            changes = data.get("ExtendedS3DestinationUpdate")
            if fault := _fault(changes and before | changes):
                return _invalid(fault)
            response = original(data)
            if pump := self._pumps.get(data["DeliveryStreamName"]):
                pump.note_new_settings()
            return response

        return update_destination

    def _start(self, name: str, stream: dict[str, Any]) -> None:
        credentials = Credentials(self._endpoint.access_key_id, self._endpoint.secret_access_key)
        surroundings = Surroundings(
            operator=Aws(get_region(), endpoint_url=self._endpoint.url, credentials=credentials),
            arrivals=kinesis.arrivals(stream["kinesis_source"]["KinesisStreamARN"]),
            evaluate_prefix=firehose._evaluate_prefix,
            record_metric=cloudwatch.record_metric,
            on_change=self._on_change,
        )
        pump = Pump(name, self._folder / f"{name}.json", surroundings)
        with self._lock:
            self._pumps[name] = pump
        pump.start()


def install(folder: Path, endpoint: LocalEndpoint, on_change: Callable[[], None]) -> DeliveryStreams:
    """Mend the library.

    Args:
        folder: Where the delivery streams keep their positions.
        endpoint: Where the AWS APIs of this process are.
        on_change: Called when something has changed outside a request.
    """
    need(firehose, "_streams", "_evaluate_prefix")
    streams = DeliveryStreams(folder, endpoint, on_change)
    replace(firehose, "_create_delivery_stream", streams.create)
    replace(firehose, "_delete_delivery_stream", streams.delete)
    replace(firehose, "_update_destination", streams.update)
    replace(firehose, "_dest_description", _dest_description)
    replace(firehose, "_put_record", _refuse_direct_put)
    replace(firehose, "_put_record_batch", _refuse_direct_put)
    replace(firehose, "ingest_from_kinesis_source", _leave_to_the_pump)
    return streams


def _fault(destination: Request | None) -> str:
    """Return why a destination is refused, here or on AWS, or ""."""
    if destination is None:
        return "The local target delivers to extended S3 only."
    for field in _NOT_DONE_HERE:
        if destination.get(field, {}).get("Enabled"):
            return f"The local target does nothing of {field}; leave it out or disable it."
    if destination.get("S3BackupMode") == "Enabled":
        return "The local target keeps no backup of what came in; disable S3BackupMode."
    return _prefix_fault(destination) or _hints_fault(destination)


def _prefix_fault(destination: Request) -> str:
    """Return what is wrong with the prefixes.

    Source: Amazon Data Firehose Developer Guide, "Understand custom prefixes for Amazon S3 objects".
    """
    prefix, errors = destination.get("Prefix") or "", destination.get("ErrorOutputPrefix") or ""
    if _ERROR_TYPE in prefix:
        return f"Prefix must not contain {_ERROR_TYPE}."
    if "!{" in prefix and not errors:
        return "ErrorOutputPrefix must be set when Prefix contains expressions."
    if "!{" in errors and _ERROR_TYPE not in errors:
        return f"ErrorOutputPrefix must contain at least one occurrence of {_ERROR_TYPE}."
    return ""


def _hints_fault(destination: Request) -> str:
    for processor in (destination.get("ProcessingConfiguration") or {}).get("Processors", []):
        given = {parameter["ParameterName"] for parameter in processor.get("Parameters", [])}
        if len(given.intersection(_TRANSFORM_HINTS)) == 1:
            names = " and ".join(_TRANSFORM_HINTS)
            return f"Both {names} are required to configure buffering for lambda processor."
    return ""


def _dest_description(original: Function) -> Function:
    def dest_description(destination: Request) -> Any:
        description = original(destination)
        if _DESCRIPTION in description:
            zone = destination["config"].get("CustomTimeZone") or "UTC"
            description[_DESCRIPTION].setdefault("CustomTimeZone", zone)
        return description

    return dest_description


def _refuse_direct_put(original: Function) -> Function:
    """Refuse as AWS does where a Kinesis stream is the source; there are no others here."""

    def put(data: Request) -> Any:
        if data.get("DeliveryStreamName") not in firehose._streams:
            return original(data)
        return _invalid("This operation is not permitted on KinesisStreamAsSource delivery stream type.")

    return put


def _leave_to_the_pump(original: Function) -> Function:
    return lambda stream_arn, records: None


def _invalid(message: str) -> Any:
    return error_response_json("InvalidArgumentException", message, 400)
