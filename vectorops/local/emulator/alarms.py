"""CloudWatch alarms: fields that the library keeps to itself, which Terraform would take for changes."""

from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from vectorops.local.emulator.mending import Function, need, replace

Alarm = dict[str, Any]

_PLAIN_FIELDS = ("AlarmDescription", "Statistic", "Period", "TreatMissingData")
_ACTION_FIELDS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def install() -> None:
    """Mend the library."""
    need(cloudwatch, "_alarms", "_p")
    replace(cloudwatch, "_put_metric_alarm", _put_metric_alarm)
    replace(cloudwatch, "_describe_alarms", _describe_alarms)


def _put_metric_alarm(original: Function) -> Function:
    """Keep who is told of missing data."""

    def put_metric_alarm(params: dict[str, Any], body: Any, is_cbor: bool, is_json: bool = False) -> Any:
        response = original(params, body, is_cbor, is_json)
        if not (is_cbor or is_json) and (alarm := cloudwatch._alarms.get(cloudwatch._p(params, "AlarmName"))):
            alarm["InsufficientDataActions"] = _members(params, "InsufficientDataActions")
        return response

    return put_metric_alarm


def _members(params: dict[str, Any], name: str) -> list[str]:
    found: list[str] = []
    while value := cloudwatch._p(params, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


def _describe_alarms(original: Function) -> Function:
    """Show every field in the answer that is XML, as the other two kinds of answer do."""

    def describe_alarms(params: dict[str, Any], body: Any, is_cbor: bool, is_json: bool = False) -> Any:
        status, headers, answer = original(params, body, is_cbor, is_json)
        if is_cbor or is_json:
            return status, headers, answer
        text = answer.decode() if isinstance(answer, bytes) else answer
        for name, alarm in cloudwatch._alarms.items():
            start = f"<member><AlarmName>{name}</AlarmName>"
            text = text.replace(start, start + fields_xml(alarm))
        return status, headers, text.encode()

    return describe_alarms


def fields_xml(alarm: Alarm) -> str:
    """Return the fields of an alarm that the library leaves out of its XML."""
    plain = [(name, str(alarm[name])) for name in _PLAIN_FIELDS if alarm.get(name) is not None]
    plain.append(("ActionsEnabled", str(bool(alarm["ActionsEnabled"])).lower()))
    lists = {name: "".join(map(_member, alarm.get(name) or [])) for name in _ACTION_FIELDS}
    dimensions = (
        f"<member><Name>{escape(one['Name'])}</Name><Value>{escape(one['Value'])}</Value></member>"
        for one in alarm["Dimensions"]
    )
    lists["Dimensions"] = "".join(dimensions)
    return "".join(
        [f"<{name}>{escape(value)}</{name}>" for name, value in plain]
        + [f"<{name}>{members}</{name}>" for name, members in lists.items()]
    )


def _member(value: str) -> str:
    return f"<member>{escape(value)}</member>"
