import logging
import secrets

import pytest
from typer.testing import CliRunner

from vectorops.aws import Aws
from vectorops.cli.main import app


def test_the_most_verbose_log_holds_no_password(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    password = secrets.token_hex(8)
    client = aws.client("secretsmanager")
    arn = client.create_secret(Name=secrets.token_hex(6), SecretString=password)["ARN"]
    caplog.set_level(logging.DEBUG)
    assert CliRunner().invoke(app, ["-vv", "schema", "--help"]).exit_code == 0
    assert client.get_secret_value(SecretId=arn)["SecretString"] == password
    assert "urllib3" in caplog.text
    assert password not in caplog.text
