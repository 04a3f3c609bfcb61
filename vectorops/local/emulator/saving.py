"""Saving the state: the library does so when it is told to stop, and then half of it may be lost.

Here it is saved soon after every change, so that a killed process loses a fraction of a second; and
a damaged file stops the start, where the library would go on without that service's resources.
"""

import hashlib
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

from ministack import app as library
from ministack.core import persistence

from vectorops.errors import LocalTargetError
from vectorops.local.emulator.mending import Function, need, replace

logger = logging.getLogger(__name__)

# Until all is restored, what is not yet looks as if it were empty, and must not be saved so.
_restored = threading.Event()
_PAUSE_S = 0.2
# Large states (streams, logs) may take long to write: never spend more than a tenth of the time on it.
_PAUSE_PER_SAVING_TIME = 10.0


def install() -> None:
    """Mend the library."""
    need(library, "_build_persistence_save_dict", "_state_map", "_get_module")
    need(persistence, "_json_default", "load_state", "save_state")
    logging.getLogger("persistence").setLevel(logging.WARNING)
    replace(library, "_load_persisted_state", _load_persisted_state)


def _load_persisted_state(original: Function) -> Function:
    def load() -> None:
        for key, module in library._state_map.items():
            try:
                state = _read(key)
                if state:
                    library._get_module(module).load_persisted_state(state)
            except Exception as exc:
                raise LocalTargetError(
                    f"cannot restore the state of AWS service '{key}'",
                    why=f"{persistence.STATE_DIR}/{key}.json: {exc}",
                    hint="run 'vectorops local reset' and deploy again",
                ) from exc
        _restored.set()

    return load


def _read(key: str) -> Any:
    # The library logs what it cannot read and goes on as if there were nothing.
    state = persistence.load_state(key)
    if state is None and (Path(persistence.STATE_DIR) / f"{key}.json").exists():
        raise ValueError("not readable")
    return state


class StateSaver:
    """Writes the state of the services that changed, from a thread of its own."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._saving = threading.Lock()
        self._digests: dict[str, bytes] = {}
        self._thread = threading.Thread(target=self._run, name="state-saver", daemon=True)

    def start(self) -> None:
        """Begin to wait for changes."""
        self._thread.start()

    def note_change(self) -> None:
        """Say that something may have changed."""
        self._requested.set()

    def save(self) -> None:
        """Write every service whose state differs from what was last written; none before all is restored."""
        if not _restored.is_set():
            return
        with self._saving:
            for key, get_state in library._build_persistence_save_dict().items():
                try:
                    self._save_service(key, get_state)
                except Exception:
                    logger.exception("could not save the state of AWS service '%s'", key)

    def _save_service(self, key: str, get_state: Any) -> None:
        try:
            state = get_state()
            text = json.dumps(state, default=persistence._json_default)
        except RuntimeError:
            # A request changed it meanwhile.
            self._requested.set()
            return
        if state is None:
            return
        digest = hashlib.blake2b(text.encode()).digest()
        if digest != self._digests.get(key):
            persistence.save_state(key, state)
            self._digests[key] = digest

    def _run(self) -> None:
        _restored.wait()
        while True:
            self._requested.wait()
            self._requested.clear()
            began = time.monotonic()
            self.save()
            time.sleep(max(_PAUSE_S, _PAUSE_PER_SAVING_TIME * (time.monotonic() - began)))
