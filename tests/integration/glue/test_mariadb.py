"""The same job on a server that speaks MySQL's protocol."""

import json
from pathlib import Path

from tests.integration.glue.etl import Etl
from tests.mariadb_server import running_mariadb
from vectorops.source import connect_source, generate_sample, init_source


def test_the_job_reads_mysql_and_its_stand_in_by_the_same_code(etl: Etl, tmp_path: Path) -> None:
    with running_mariadb(tmp_path, etl.name) as address:
        with connect_source(address) as mysql, etl.source() as stand_in:
            init_source(mysql, generate_sample())
            init_source(stand_in, generate_sample())
        secret = {"username": address.user, "password": address.password}
        etl.aws.client("secretsmanager").create_secret(Name="mariadb", SecretString=json.dumps(secret))
        url = f"jdbc:mysql://{address.host}:{address.port}/{etl.name}"
        etl.create_connection(url, secret="mariadb", name="mariadb")
        metrics = etl.run_well(partition_by="country", connection_name="mariadb")
        assert metrics["rows_written"] == 2500
    from_mysql = etl.read()
    etl.run_well(partition_by="country")
    assert etl.read() == from_mysql
