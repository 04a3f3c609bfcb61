"""Environments in throw-away projects, and the way into them."""

from pathlib import Path

from vectorops.aws import Aws, Credentials
from vectorops.local import endpoint
from vectorops.settings import Environment


def environment_in(project: Path, name: str = "local") -> Environment:
    return Environment(
        name=name,
        target="local",
        region="us-east-1",
        var_file=project / "local.tfvars",
        state_dir=project / ".vectorops" / name,
    )


def operator_of(environment: Environment) -> Aws:
    found = endpoint(environment)
    return Aws(
        environment.region,
        endpoint_url=found.url,
        credentials=Credentials(found.access_key_id, found.secret_access_key),
    )
