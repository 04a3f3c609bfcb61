"""What Terraform deployed, typed: the outputs of the root module."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from vectorops.errors import UsageError


@dataclass(frozen=True)
class Stack:
    """Outputs of the Terraform root; a test holds the names against `terraform/outputs.tf`."""

    environment: str
    region: str
    vpc_id: str
    private_subnet_ids: tuple[str, ...]
    database_identifier: str
    database_instance_class: str
    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    data_lake_bucket: str
    ml_artifacts_bucket: str
    scripts_bucket: str
    recommendations_bucket: str
    glue_job_name: str
    load_job_name: str
    load_results_url: str
    catalog_database: str
    catalog_table: str
    source_database_host: str
    source_database_port: int
    source_database_name: str
    source_database_secret_arn: str
    stream_name: str
    delivery_stream_name: str
    transform_function_name: str
    inference_function_name: str
    inference_url: str
    recommendations_prefix: str
    errors_prefix: str
    recommendations_table: str
    athena_workgroup: str

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any], environment: str) -> "Stack":
        """Build the stack from `{name: {"value": …}}`, as Terraform prints it.

        Raises:
            UsageError: The environment is not deployed, or by another version of this project.
        """
        missing = [field.name for field in fields(cls) if field.name not in outputs]
        if missing:
            deployed = (
                f"its state has no {', '.join(missing)}" if outputs else "it has no Terraform state yet"
            )
            raise UsageError(
                f"environment '{environment}' is not deployed",
                why=deployed,
                hint=f"run 'vectorops --env {environment} deploy'",
            )
        values = {field.name: outputs[field.name]["value"] for field in fields(cls)}
        values["private_subnet_ids"] = tuple(values["private_subnet_ids"])
        return cls(**values)
