"""What a Glue request is about, for IAM: the library takes most things for a table of that name."""

import json
from typing import Any

from ministack.core import iam_actions

from vectorops.local.emulator.mending import Function, replace

_TABLE_ACTIONS = ("Partition", "Table")
_KINDS = ("Connection", "Crawler", "Database", "Job", "Trigger")


def install() -> None:
    """Mend the library."""
    replace(iam_actions, "extract_resource_arn", _extract_resource_arn)


def _extract_resource_arn(original: Function) -> Function:
    def extract_resource_arn(service: str, *request: Any) -> str:
        if service != "glue":
            return str(original(service, *request))
        _, _, headers, body, _, region, account = request
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        return f"arn:aws:glue:{region}:{account}:{resource(action, body)}"

    return extract_resource_arn


def resource(action: str, body: bytes) -> str:
    """Return the end of the ARN of what a request is about, such as "table/sales/ratings".

    AWS asks for permission on the catalog and the database too; here the innermost thing counts alone.
    """
    try:
        data = json.loads(body)
    except ValueError:
        data = {}
    if any(word in action for word in _TABLE_ACTIONS):
        path = [data.get("DatabaseName"), data.get("TableName") or _name("Table", data)]
        return "/".join(["table" if path[1] else "database", *filter(None, path)])
    for kind in _KINDS:
        if kind in action and (name := _name(kind, data)):
            return f"{kind.lower()}/{name}"
    return "catalog"


def _name(kind: str, data: dict[str, Any]) -> Any:
    return data.get(f"{kind}Name") or data.get("Name") or data.get(f"{kind}Input", {}).get("Name")
