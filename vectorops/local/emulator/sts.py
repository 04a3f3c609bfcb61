"""STS: the operator may act as an AWS service, to get a role that only a service may assume.

The library lets the account's root through wherever a trust policy names any service, but knows nothing of
`aws:SourceAccount` and `aws:SourceArn`, so that a role with these conditions can be assumed by nobody.
Here a root caller says which service it acts as by the session name, and for which resource by the
external id; the trust policy is then evaluated as AWS does for that service. `vectorops.local.roles` is
the other end.
"""

import dataclasses
import json
from typing import Any

from ministack.core import iam_evaluator

from vectorops.local.emulator.mending import Function, replace

_SERVICE_SUFFIX = ".amazonaws.com"


def install() -> None:
    """Mend the library."""
    replace(iam_evaluator, "evaluate_trust_policy", _evaluate_trust_policy)


def _evaluate_trust_policy(original: Function) -> Function:
    def evaluate(document: str | dict[str, Any], caller_arn: str, context: Any = None) -> bool:
        keys = context.service_context if context else {}
        service = keys.get("sts:rolesessionname") or ""
        if not (caller_arn.endswith(":root") and service.endswith(_SERVICE_SUFFIX)):
            return bool(original(document, caller_arn, context))
        as_service = dataclasses.replace(
            context,
            service_context={
                "aws:sourceaccount": context.principal_account,
                "aws:sourcearn": keys.get("sts:externalid"),
            },
        )
        return bool(original(statements_for(document, service), caller_arn, as_service))

    return evaluate


def statements_for(document: str | dict[str, Any], service: str) -> dict[str, Any]:
    """Return the part of a trust policy that is about `service`."""
    parsed = json.loads(document) if isinstance(document, str) else document
    statements = parsed.get("Statement", [])
    statements = [statements] if isinstance(statements, dict) else statements
    return {**parsed, "Statement": [one for one in statements if _names(one.get("Principal"), service)]}


def _names(principal: Any, service: str) -> bool:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    services = principal.get("Service", [])
    return service in ([services] if isinstance(services, str) else services)
