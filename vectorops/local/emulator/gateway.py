"""Who may call the AWS APIs: programs on this machine, but no web page.

The operator's key is well known and its signatures are not checked, so that any site open in a browser on
this machine could call the APIs, and read the database's password, if it were let in.
"""

from collections.abc import Awaitable, Callable
from typing import Any

AsgiApp = Callable[..., Awaitable[None]]

_LOCAL_NAMES = (".127.0.0.1", ".localhost")
# Deployed HTTP APIs and function URLs are meant to be called by pages.
_DEPLOYED_APIS = "/_aws/"
_ADMINISTRATION = ("/_ministack/", "/_localstack/")
_HEALTH = "/_ministack/health"
# Where the library's function workers fetch their code.
_FUNCTION_CODE = ("/_ministack/lambda-code/", "/_ministack/lambda-layers/")


def guard(app: AsgiApp) -> AsgiApp:
    """Return `app` behind the check."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (reason := refusal(scope["path"], _headers(scope))):
            await _forbid(send, reason)
        else:
            await app(scope, receive, send)

    return guarded


def refusal(path: str, headers: dict[str, str]) -> str:
    """Return why a request is refused, or "" when it is not.

    Args:
        path: Path of the URL.
        headers: By lower-case name.
    """
    name = headers.get("host", "").rsplit(":", 1)[0]
    if not f".{name}".endswith(_LOCAL_NAMES):
        return f"Host '{name}' is not this machine; a web page may have renamed it"
    if "origin" in headers and not path.startswith(_DEPLOYED_APIS):
        return "web pages may not call the AWS APIs of this machine"
    is_open = path == _HEALTH or path.startswith(_FUNCTION_CODE)
    if path.startswith(_ADMINISTRATION) and not is_open:
        return "the emulator's own administration is switched off; use 'vectorops local'"
    return ""


def _headers(scope: Any) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _forbid(send: Any, reason: str) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": reason.encode()})
