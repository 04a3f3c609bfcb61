"""Spark as a Glue script meets it."""

import json
import re
from typing import Any

import boto3
from pyspark import SparkContext
from pyspark.sql import SparkSession

from vectorops.source.protocol import served_by

_DRIVERS = {
    "mysql": ("mariadb|mysql", "libmariadb-java"),
    "postgresql": ("postgresql", "libpostgresql-jdbc-java"),
}


class GlueContext:
    """Holds the Spark session and resolves Glue connections.

    Args:
        spark_context: As from `SparkContext.getOrCreate()`.
    """

    def __init__(self, spark_context: SparkContext, **_: Any) -> None:
        self.spark_session = SparkSession(spark_context)

    def extract_jdbc_conf(self, connection_name: str) -> dict[str, str]:
        """Return how to reach the database of a Glue connection, as Glue's own method does.

        The login is read from the secret that the connection names. Where PostgreSQL answers at the address
        of a MySQL connection, because it stands in for a MySQL that is not installed, the URLs say so.

        Raises:
            RuntimeError: The database does not answer, has no driver here, or the connection no login.
        """
        connection = boto3.client("glue").get_connection(Name=connection_name)["Connection"]
        properties = {str(name): value for name, value in connection["ConnectionProperties"].items()}
        url = properties.get("JDBC_CONNECTION_URL", "")
        address = re.match(r"jdbc:(\w+)://([^:/]+):(\d+)/?([^?]*)", url)
        if not address:
            raise RuntimeError(f"connection '{connection_name}' has no usable JDBC_CONNECTION_URL: '{url}'")
        _, host, port, database = address.groups()
        try:
            vendor = served_by(host, int(port))
        except OSError as exc:
            raise RuntimeError(f"the source database at {host}:{port} does not answer: {exc}") from exc
        self._require_driver(vendor)
        return {
            **_login(connection_name, properties),
            "vendor": vendor,
            "url": f"jdbc:{vendor}://{host}:{port}",
            "fullUrl": f"jdbc:{vendor}://{host}:{port}/{database}",
            # Loopback only, where the servers offer no TLS.
            "enforceSSL": "false",
        }

    def _require_driver(self, vendor: str) -> None:
        pattern, package = _DRIVERS[vendor]
        class_path = self.spark_session.conf.get("spark.driver.extraClassPath", "") or ""
        if not re.search(pattern, class_path):
            raise RuntimeError(
                f"there is no JDBC driver for {vendor}: run 'apt-get install {package}', "
                "or put its jar file into .tools/jars of the project"
            )


def _login(connection_name: str, properties: dict[str, str]) -> dict[str, str]:
    if secret := properties.get("SECRET_ID"):
        value = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        properties = {name.upper(): str(entry) for name, entry in json.loads(value).items()}
    missing = [name for name in ("USERNAME", "PASSWORD") if not properties.get(name)]
    if missing:
        raise RuntimeError(f"connection '{connection_name}' has no {' and no '.join(missing)}")
    return {"user": properties["USERNAME"], "password": properties["PASSWORD"]}
