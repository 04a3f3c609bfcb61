"""The inference API as its callers see it: requests signed with AWS Signature Version 4."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from vectorops.errors import AwsError, InputDataError
from vectorops.recommender.catalogue import Neighbour

if TYPE_CHECKING:
    from botocore.credentials import Credentials

# The function may take 30 s, and a cold start some more.
_TIMEOUT_S = 60


class InferenceClient:
    """Calls a deployed API.

    Args:
        url: Of the API.
        region: AWS region it is in.
        credentials: Of a caller with the policy that the stack makes for callers.
    """

    def __init__(self, url: str, *, region: str, credentials: "Credentials") -> None:
        self._url = url.rstrip("/")
        self._auth = SigV4Auth(credentials, "lambda", region)
        self._session = URLLib3Session(timeout=_TIMEOUT_S)

    def user_vector(self, city: str | None, country: str | None, credit_limit: float | None) -> list[float]:
        """Return the vector of a user, as the model in use embeds them."""
        user = {"city": city, "country": country, "creditlimit": credit_limit}
        vectors: list[list[float]] = self._call("POST", "/user_embeddings", body=[user])
        return vectors[0]

    def items_from_user(self, vector: Sequence[float], limit: int) -> list[Neighbour]:
        """Return the items nearest to a user's vector, best first; `limit` is 1 to 100."""
        found: list[Neighbour] = self._call("POST", "/items_from_user", {"limit": limit}, list(vector))
        return found

    def items_from_item(self, item_id: str, limit: int) -> list[Neighbour]:
        """Return the items nearest to an item, best first, without itself; `limit` is 1 to 100.

        Raises:
            InputDataError: No item has this id.
        """
        query = {"item_id": item_id, "limit": limit}
        found: list[Neighbour] = self._call("GET", "/items_from_item", query, missing=f"no item '{item_id}'")
        return found

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        *,
        missing: str = "",
    ) -> Any:
        # A blank as "+" would be signed as it is, and verified as "%20".
        url = f"{self._url}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method, url, headers={"content-type": "application/json"}, data=data)
        self._auth.add_auth(request)
        try:
            answer = self._session.send(request.prepare())
        except BotoCoreError as exc:
            raise AwsError(
                f"the inference API at {self._url} does not answer",
                why=str(exc),
                hint="run 'vectorops doctor'",
            ) from exc
        if answer.status_code != 200:
            raise _error(answer.status_code, answer.content, missing)
        return json.loads(answer.content)


def _error(status: int, content: bytes, missing: str) -> AwsError | InputDataError:
    why = f"{status}: {_message(content)}"
    if status == 404 and missing:
        return InputDataError(f"the catalogue has {missing}", why=why)
    if status in (400, 404, 413):
        return InputDataError("the inference API refused the request", why=why)
    return AwsError("the inference API gave no answer", why=why, hint=_HINTS.get(status, _LOG))


def _message(content: bytes) -> str:
    """Return the words of an error of ours, or of Lambda, which answers itself when the function does not."""
    try:
        fields = json.loads(content)
        message = fields.get("error") or fields.get("message") or fields.get("Message")
        request = f" (request {fields['request_id']})" if "request_id" in fields else ""
        return f"{message}{request}" if message else repr(content[:200])
    except (ValueError, AttributeError):
        return content[:200].decode("utf-8", errors="backslashreplace") or "no reason given"


_LOG = "look into the log of the inference function"
_HINTS = {
    403: "give the caller the policy inference_caller_policy_arn, which 'vectorops deploy --json' prints",
    429: "too many calls at once; try again, or raise the function's reserved concurrency",
    502: _LOG,
    503: "the database is away, nothing is loaded yet, or the last load names a --model-version that was "
    "never published: run 'vectorops status'",
}
