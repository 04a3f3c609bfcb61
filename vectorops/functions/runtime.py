"""What the functions are made of, from their configuration."""

import time
from collections.abc import Callable
from pathlib import Path

import vectorops
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress
from vectorops.database.credentials import database_address
from vectorops.functions.configuration import Configuration
from vectorops.functions.session import Session
from vectorops.functions.store import Store

# The folder of the unpacked package; the builder has put the certificate authorities of RDS there.
PACKAGE_DIR = Path(vectorops.__file__).parents[1]

# So that an API out of reach, such as for want of a VPC endpoint, is named before a function's time is over.
_CONNECT_S, _READ_S, _ATTEMPTS = 3.0, 10.0, 2


def aws_of(configuration: Configuration) -> Aws:
    """Return AWS with the credentials of the function's role, which Lambda puts into the environment."""
    return Aws(
        configuration.aws_region,
        endpoint_url=configuration.aws_endpoint_url,
        connect_timeout_s=_CONNECT_S,
        read_timeout_s=_READ_S,
        attempts=_ATTEMPTS,
    )


def open_store(
    configuration: Configuration,
    aws: Aws,
    *,
    is_patient: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Store:
    """Return a store that is still empty and not connected; see `Session` and `Store` for the arguments."""
    secretsmanager, s3_client = aws.client("secretsmanager"), aws.client("s3")

    def address() -> DatabaseAddress:
        return database_address(
            secretsmanager,
            configuration.database_secret_arn,
            host=configuration.database_host,
            port=configuration.database_port,
            name=configuration.database_name,
            is_local=configuration.database_sslmode == "disable",
            ca_folder=PACKAGE_DIR,
        )

    return Store(configuration, Session(address, is_patient=is_patient), s3_client, clock=clock)
