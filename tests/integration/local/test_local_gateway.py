from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from vectorops.aws import Aws


def answer(url: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url, headers=headers, method=method)) as response:  # noqa: S310
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_a_web_page_cannot_call_the_apis(operator: Aws) -> None:
    status, text = answer(f"{operator.endpoint_url}/", Origin="https://a-page.example")
    assert (status, text) == (403, "web pages may not call the AWS APIs of this machine")


def test_a_name_that_a_page_has_pointed_at_this_machine_is_refused(operator: Aws) -> None:
    status, text = answer(f"{operator.endpoint_url}/", Host="a-page.example:4566")
    assert status == 403
    assert "'a-page.example' is not this machine" in text


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config", "/_localstack/state"])
def test_nobody_can_empty_the_emulator_behind_our_back(operator: Aws, path: str) -> None:
    status, text = answer(f"{operator.endpoint_url}{path}", method="POST")
    assert status == 403
    assert "vectorops local" in text


def test_an_open_path_in_front_does_not_open_the_others(operator: Aws) -> None:
    assert answer(f"{operator.endpoint_url}/_ministack/health/../reset", method="POST")[0] == 403
    assert answer(f"{operator.endpoint_url}/_ministack/health")[0] == 200
