"""The XML of a DB instance: what the library leaves empty or out, from the instance's record."""

from typing import Any
from xml.sax.saxutils import escape

from vectorops.local.emulator.mending import Function


def instance_xml(original: Function) -> Function:
    """Complete the library's XML of an instance."""

    def complete(instance: dict[str, Any]) -> str:
        text: str = original(instance)
        text = text.replace("<AssociatedRoles/>", _roles(instance.get("AssociatedRoles", [])))
        exports = "".join(
            f"<member>{escape(name)}</member>" for name in instance["EnabledCloudwatchLogsExports"]
        )
        text = text.replace(
            "<EnabledCloudwatchLogsExports/>",
            f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>",
        )
        if key := instance.get("PerformanceInsightsKMSKeyId"):
            text += f"<PerformanceInsightsKMSKeyId>{escape(key)}</PerformanceInsightsKMSKeyId>"
        if secret := instance.get("MasterUserSecret"):
            text += f"<MasterUserSecret>{_elements(secret)}</MasterUserSecret>"
        return text

    return complete


def _roles(roles: list[dict[str, str]]) -> str:
    inner = "".join(f"<DBInstanceRole>{_elements(role)}</DBInstanceRole>" for role in roles)
    return f"<AssociatedRoles>{inner}</AssociatedRoles>"


def _elements(fields: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
