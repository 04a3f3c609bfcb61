"""Terraform, ready to run for one environment of the project."""

import os
from collections.abc import Mapping

from vectorops.aws import Aws
from vectorops.infra.binary import clean_environment, find_terraform, provider_mirror
from vectorops.infra.terraform import PROVIDER_VERSION, Terraform
from vectorops.infra.workspace import prepare_workspace
from vectorops.settings import Environment, Project


def terraform_for(project: Project, environment: Environment, aws: Aws) -> Terraform:
    """Prepare the working folder of `environment` and return a runner for it.

    Raises:
        TerraformError: Terraform is missing or too old.
    """
    environ = terraform_environ(os.environ, aws)
    return Terraform(
        prepare_workspace(project, environment),
        binary=find_terraform(project.root),
        environ=environ,
        var_file=environment.var_file,
        backend_config=environment.backend,
        plugin_dir=provider_mirror(PROVIDER_VERSION, environ),
    )


def terraform_environ(environ: Mapping[str, str], aws: Aws) -> dict[str, str]:
    """Return the environment variables Terraform gets: the caller's, and what leads it to `aws`.

    For another endpoint than AWS, nothing of the caller's AWS configuration is left, so that a profile
    or a token for a real account is never sent there, and no proxy stands in between.
    """
    cleaned = clean_environment(environ)
    if aws.endpoint_url is None or aws.credentials is None:
        profile = {"AWS_PROFILE": aws.profile} if aws.profile else {}
        return {**cleaned, **profile, "AWS_REGION": aws.region}
    kept = {key: value for key, value in cleaned.items() if not key.startswith("AWS_")}
    return {
        **kept,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": aws.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": aws.credentials.secret_access_key,
        "AWS_REGION": aws.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": ",".join(filter(None, [environ.get("NO_PROXY", ""), "127.0.0.1"])),
    }
