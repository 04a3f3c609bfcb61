import json
import traceback
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from vectorops.database.connection import DatabaseAddress
from vectorops.database.credentials import database_address
from vectorops.errors import AwsError, UsageError

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1234"
PASSWORD = "not%a&real:pass@word"


@pytest.fixture
def secrets() -> Any:
    """Client and stub; the stub checks the parameters against the service's model."""
    client = boto3.client(
        "secretsmanager", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield client, stub


def answer(stub: Stubber, text: str) -> None:
    stub.add_response("get_secret_value", {"SecretString": text}, {"SecretId": ARN})


def address(client: Any, **options: Any) -> DatabaseAddress:
    return database_address(client, ARN, host="db.example.com", port=5432, name="vectors", **options)


def test_the_login_comes_from_the_managed_secret_and_the_server_is_verified(secrets: Any) -> None:
    client, stub = secrets
    answer(stub, json.dumps({"username": "master", "password": PASSWORD}))
    found = address(client)
    assert (found.user, found.password) == ("master", PASSWORD)
    assert (found.host, found.port, found.hostaddr, found.sslmode) == (
        "db.example.com",
        5432,
        None,
        "verify-full",
    )


def test_the_local_target_is_reached_without_tls(secrets: Any) -> None:
    client, stub = secrets
    answer(stub, '{"username": "master", "password": "x"}')
    assert address(client, is_local=True).sslmode == "disable"


@pytest.mark.parametrize("tunnel", ["127.0.0.1:15432", "localhost:15432"])
def test_through_a_tunnel_the_name_stays_that_of_the_server(secrets: Any, tunnel: str) -> None:
    client, stub = secrets
    answer(stub, '{"username": "master", "password": "x"}')
    found = address(client, tunnel=tunnel)
    assert (found.host, found.port, found.sslmode) == ("db.example.com", 15432, "verify-full")
    assert found.hostaddr in ("127.0.0.1", "::1")


@pytest.mark.parametrize("tunnel", ["15432", ":15432", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_a_tunnel_that_is_not_host_and_port_is_refused(secrets: Any, tunnel: str) -> None:
    client, stub = secrets
    answer(stub, '{"username": "master", "password": "x"}')
    with pytest.raises(UsageError, match=f"database_tunnel '{tunnel}' is not host:port"):
        address(client, tunnel=tunnel)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDeniedException", "secretsmanager:GetSecretValue"),
        ("ResourceNotFoundException", "vectorops plan"),
        ("DecryptionFailure", "kms:Decrypt"),
    ],
)
def test_a_refused_secret_says_what_to_do(secrets: Any, code: str, hint: str) -> None:
    client, stub = secrets
    stub.add_client_error("get_secret_value", code, "no")
    with pytest.raises(AwsError, match=f"cannot read the database login from secret {ARN}") as caught:
        address(client)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f'{{"username": "master", "password": "{PASSWORD}"',
        f'{{"password": "{PASSWORD}"}}',
        f'["{PASSWORD}"]',
        f'{{"username": "master", "password": ["{PASSWORD}"]}}',
        PASSWORD,
    ],
)
def test_a_secret_that_is_no_login_is_refused_without_showing_it(secrets: Any, text: str) -> None:
    client, stub = secrets
    answer(stub, text)
    with pytest.raises(AwsError, match="username and a password") as caught:
        address(client)
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in repr(vars(error))
        error = error.__cause__ or error.__context__


def test_a_binary_secret_is_no_login(secrets: Any) -> None:
    client, stub = secrets
    stub.add_response("get_secret_value", {"SecretBinary": b"x"}, {"SecretId": ARN})
    with pytest.raises(AwsError, match="username and a password"):
        address(client)


def test_an_address_does_not_show_its_password(secrets: Any) -> None:
    client, stub = secrets
    answer(stub, json.dumps({"username": "master", "password": PASSWORD}))
    assert PASSWORD not in repr(address(client))
