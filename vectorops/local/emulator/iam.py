"""IAM: loopback counts as secure transport.

Bucket policies that refuse anything but TLS are right on AWS. Here the APIs speak plain http, on
loopback only, so that such a policy would refuse everybody.
"""

from typing import Any

from ministack.core import iam_evaluator

from vectorops.local.emulator.mending import Function, replace


def install() -> None:
    """Mend the library."""
    replace(iam_evaluator, "_resolve_condition_key", _resolve_condition_key)


def _resolve_condition_key(original: Function) -> Function:
    def resolve(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else original(key, context)

    return resolve
