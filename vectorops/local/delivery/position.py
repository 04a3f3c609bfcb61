"""How far a delivery stream has come, on disk."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Position:
    """How far a delivery stream has come.

    Attributes:
        created: When the delivery stream was made: tells it from an earlier one of its name.
        done: By shard, the sequence number of the last record that was delivered or written as failed.
        writing: By kind, the keys of the objects that are being written. Whoever goes on after a crash writes
            the same ones again, so that nothing is delivered twice.
    """

    created: float
    done: dict[str, str] = field(default_factory=dict)
    writing: dict[str, str] = field(default_factory=dict)


def load_position(path: Path, created: float) -> Position:
    """Return what was saved for the delivery stream made at `created`, or a new position."""
    try:
        saved = Position(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Position(created)
    return saved if saved.created == created else Position(created)


def save_position(path: Path, position: Position) -> None:
    """Replace what is saved, in one step."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(asdict(position)), encoding="utf-8")
    scratch.replace(path)
