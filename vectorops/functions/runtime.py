"""What the functions are made of, from their configuration."""

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


def open_store(configuration: Configuration, *, is_patient: bool) -> Store:
    """Return a store that is still empty and not connected; see `Session` for `is_patient`."""
    aws = Aws(configuration.aws_region, endpoint_url=configuration.aws_endpoint_url)
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

    return Store(configuration, Session(address, is_patient=is_patient), s3_client)
