"""The thread of one delivery stream."""

import logging
import threading
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import LocalTargetError
from vectorops.local.delivery.configuration import DeliverySettings, read_settings
from vectorops.local.delivery.delivery import Delivery, StoppedError, Surroundings

logger = logging.getLogger(__name__)

_RETRY_S = 2.0
_STOP_S = 5.0


class Pump:
    """Runs one delivery stream in a thread, until it is stopped.

    A failure of what is around it (no permission, no bucket) ends nothing: it is logged and tried again, and
    the records stay in their stream. What was read and not yet written is read again afterwards.

    Args:
        name: Of the delivery stream.
        position_file: Keeps how far it has come.
        surroundings: What it has around it.
    """

    def __init__(self, name: str, position_file: Path, surroundings: Surroundings) -> None:
        self._name = name
        self._position_file = position_file
        self._around = surroundings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"firehose-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End without delivering what has been collected; it is read again by whoever goes on."""
        self._stopping.set()
        self._around.arrivals.set()
        if self._thread.ident:
            self._thread.join(_STOP_S)

    def note_new_settings(self) -> None:
        """Have it look at its settings, which it does after every batch and when there was none."""
        self._around.arrivals.set()

    def forget(self) -> None:
        """Forget how far it has come; for a stopped one whose delivery stream is deleted."""
        self._position_file.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._deliver_until_it_changes()
                continue
            except StoppedError:
                return
            except (ClientError, BotoCoreError, LocalTargetError) as exc:
                logger.warning("delivery stream %s: %s; trying again", self._name, exc)
            except Exception:
                logger.exception("delivery stream %s broke off; trying again", self._name)
            self._stopping.wait(_RETRY_S)

    def _deliver_until_it_changes(self) -> None:
        settings = self._settings()
        delivery = Delivery(settings, self._position_file, self._around, self._stopping)

        def is_current() -> bool:
            return self._settings().version == settings.version

        # Asked before the first batch too: they may have changed while the roles were assumed.
        while is_current():
            delivery.deliver_batch(is_current)

    def _settings(self) -> DeliverySettings:
        firehose = self._around.operator.client("firehose")
        answer = firehose.describe_delivery_stream(DeliveryStreamName=self._name)
        return read_settings(answer["DeliveryStreamDescription"])
