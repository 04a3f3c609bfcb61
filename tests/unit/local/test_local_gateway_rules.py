import pytest

from vectorops.local.emulator.gateway import refusal

HERE = "127.0.0.1:20000"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"host": HERE}),
        ("/bucket/key", {"host": "localhost:20000"}),
        ("/bucket/key", {"host": "localhost"}),
        ("/", {"host": "api.execute-api.localhost:20000"}),
        ("/_aws/lambda-url/one/", {"host": HERE, "origin": "http://127.0.0.1:8000"}),
        ("/_ministack/health", {"host": HERE}),
        ("/_ministack/lambda-code/one", {"host": HERE}),
    ],
)
def test_programs_on_this_machine_are_let_in(path: str, headers: dict[str, str]) -> None:
    assert refusal(path, headers) == ""


@pytest.mark.parametrize(
    ("path", "headers", "reason"),
    [
        ("/", {"host": HERE, "origin": "null"}, "web pages"),
        ("/", {"host": "a-page.example:20000"}, "'a-page.example' is not this machine"),
        ("/", {"host": "notlocalhost"}, "is not this machine"),
        ("/", {"host": "evil-127.0.0.1"}, "is not this machine"),
        ("/", {}, "is not this machine"),
        ("/_aws/lambda-url/one/", {"host": "a-page.example"}, "is not this machine"),
        ("/_ministack/reset", {"host": HERE}, "switched off"),
        ("/_localstack/init", {"host": HERE}, "switched off"),
    ],
)
def test_web_pages_and_the_emulators_administration_are_kept_out(
    path: str, headers: dict[str, str], reason: str
) -> None:
    assert reason in refusal(path, headers)
