"""The address of a deployed database, with the login from its managed secret."""

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.database.authorities import rds_ca_bundle
from vectorops.database.connection import DatabaseAddress
from vectorops.errors import AwsError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_HINTS = {
    "AccessDeniedException": "allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key",
    "DecryptionFailure": "allow kms:Decrypt on the key of the secret",
    "ResourceNotFoundException": "the deployed database may have been replaced: run 'vectorops plan'",
}


def database_address(
    secretsmanager: "SecretsManagerClient",
    secret_arn: str,
    *,
    host: str,
    port: int,
    name: str,
    tunnel: str | None = None,
    is_local: bool = False,
    ca_folder: Path | None = None,
) -> DatabaseAddress:
    """Return the address of a database; reads the secret now, since AWS rotates it.

    Args:
        secretsmanager: Client of the account that the database is in.
        secret_arn: Of the secret that RDS manages: {"username": …, "password": …}.
        host: Name of the database server; its certificate is checked against it, through a tunnel too.
        port: TCP port of the server.
        name: Of the database.
        tunnel: "host:port" to connect to instead, from where connections reach the server.
        is_local: Whether the server is the local target's, which speaks no TLS and listens on loopback only.
        ca_folder: Where the certificate authorities of RDS are kept, or None to trust those libpq finds.

    Raises:
        AwsError: The secret cannot be read or is no login, or the authorities cannot be fetched.
        UsageError: `tunnel` is not "host:port".
    """
    user, password = _login(secretsmanager, secret_arn)
    hostaddr, port = _near_end(tunnel) if tunnel else (None, port)
    authorities = rds_ca_bundle(ca_folder) if ca_folder and not is_local else None
    return DatabaseAddress(
        host=host,
        port=port,
        name=name,
        user=user,
        password=password,
        hostaddr=hostaddr,
        sslmode="disable" if is_local else "verify-full",
        sslrootcert=str(authorities) if authorities else None,
    )


def _login(secretsmanager: "SecretsManagerClient", secret_arn: str) -> tuple[str, str]:
    what = f"cannot read the database login from secret {secret_arn}"
    try:
        text = secretsmanager.get_secret_value(SecretId=secret_arn).get("SecretString", "")
    except ClientError as exc:
        raise AwsError(what, why=str(exc), hint=_HINTS.get(exc.response["Error"]["Code"], "")) from exc
    except BotoCoreError as exc:
        raise AwsError(what, why=str(exc), hint="run 'vectorops doctor'") from exc
    login = _parse(text)
    if login is None:
        raise AwsError(what, why="it does not hold a username and a password as JSON")
    return login


def _parse(text: str) -> tuple[str, str] | None:
    # No exception leaves here: a JSONDecodeError carries the text, which is the secret.
    try:
        login = json.loads(text)
    except ValueError:
        return None
    match login:
        case {"username": str(user), "password": str(password)}:
            return user, password
    return None


def _near_end(tunnel: str) -> tuple[str, int]:
    host, _, port = tunnel.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(
            f"database_tunnel '{tunnel}' is not host:port",
            hint="write it as 127.0.0.1:15432 in vectorops.toml",
        )
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as exc:
        raise UsageError(f"the host of database_tunnel '{tunnel}' has no address", why=str(exc)) from exc
    return str(found[0][4][0]), int(port)
