"""What a saved Terraform plan would do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DATABASE_TYPES = frozenset({"aws_db_instance", "aws_rds_cluster"})
_ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}


@dataclass(frozen=True)
class PlannedChange:
    """One resource that a plan touches.

    Attributes:
        address: Resource address in the configuration.
        type: Resource type, such as "aws_db_instance".
        action: "create", "update", "delete" or "replace".
        identifier: The resource's own name, as far as it has one and exists already.
        because: Attributes that force the replacement, or that change.
    """

    address: str
    type: str
    action: str
    identifier: str = ""
    because: tuple[str, ...] = ()

    @property
    def loses_database(self) -> bool:
        """Whether a database and its data would be gone afterwards."""
        return self.type in DATABASE_TYPES and self.action in ("delete", "replace")


@dataclass(frozen=True)
class Plan:
    """A plan's resource changes, worst first, and the outputs it changes."""

    changes: tuple[PlannedChange, ...]
    changed_outputs: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether applying it would do nothing."""
        return not self.changes and not self.changed_outputs

    def counts(self) -> dict[str, int]:
        """Return the number of resources per action."""
        return dict(Counter(change.action for change in self.changes))


def read_plan(document: Mapping[str, Any]) -> Plan:
    """Read the output of `terraform show -json PLANFILE`.

    Source: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation.
    """
    found = (_change(entry) for entry in document.get("resource_changes", []) if entry["mode"] == "managed")
    changes = sorted((change for change in found if change), key=lambda c: (_severity(c.action), c.address))
    outputs = document.get("output_changes", {})
    changed = sorted(name for name, change in outputs.items() if change["actions"] != ["no-op"])
    return Plan(tuple(changes), tuple(changed))


def _change(entry: Mapping[str, Any]) -> PlannedChange | None:
    change = entry["change"]
    action = _ACTIONS.get(tuple(change["actions"]))
    if action is None:
        return None
    before = change.get("before") or {}
    return PlannedChange(
        address=entry["address"],
        type=entry["type"],
        action=action,
        identifier=str(before.get("identifier") or before.get("name") or before.get("id") or ""),
        because=_because(action, change),
    )


def _because(action: str, change: Mapping[str, Any]) -> tuple[str, ...]:
    if action == "replace":
        return tuple(".".join(map(str, path)) for path in change.get("replace_paths", []))
    if action == "update":
        before, after = change["before"], change["after"]
        unknown = change.get("after_unknown") or {}
        changed = {key for key in before if before[key] != after.get(key)}
        return tuple(sorted(changed | {key for key in unknown if _is_unknown(unknown[key])}))
    return ()


def _is_unknown(mark: object) -> bool:
    """Say whether a mark in `after_unknown`, which has the form of the value it is about, holds any true."""
    if isinstance(mark, dict):
        return any(map(_is_unknown, mark.values()))
    return any(map(_is_unknown, mark)) if isinstance(mark, list) else mark is True


def _severity(action: str) -> int:
    return ("replace", "delete", "update", "create").index(action)
