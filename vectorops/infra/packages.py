"""Building what Terraform uploads: the same sources always give the same bytes."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vectorops.database.authorities import BUNDLE_NAME, rds_ca_bundle
from vectorops.infra.function_package import GLUE, LAMBDA, MAX_ZIPPED_BYTES, Platform, build_function
from vectorops.settings import Environment, Project

# One package serves both handlers: they share all but a few kilobytes.
RECOMMENDER = "functions/recommender.zip"
HANDLERS = ("vectorops.functions.transform", "vectorops.functions.inference")
# What glue/embeddings_load.py runs, in processes of their own.
LOADER = "glue/embeddings_load.zip"
LOADER_MODULES = ("vectorops.embeddings.coordinator", "vectorops.embeddings.worker")


@dataclass(frozen=True)
class Package:
    """One built file."""

    name: str
    path: Path
    size_bytes: int


def build_packages(project: Project, environment: Environment) -> list[Package]:
    """Build everything the stack uploads into the environment's build folder and return what is there.

    Glue takes a job as one script, so a script is its own package; the job that loads embeddings fetches
    another one when it runs.

    Raises:
        VectorOpsError: A package cannot be built.
        AwsError: The certificate authorities of RDS cannot be fetched; packages for AWS carry them.
    """
    folder = environment.state_dir / "build"
    shutil.rmtree(folder / "glue", ignore_errors=True)
    (folder / "glue").mkdir(parents=True)
    scripts = sorted((project.root / "vectorops" / "glue").glob("*.py"))
    jobs = [_copy(script, folder) for script in scripts if script.name != "__init__.py"]
    return [*jobs, build_loader(project, environment), build_functions(project, environment)]


def build_functions(project: Project, environment: Environment) -> Package:
    """Build the package of the Lambda functions into the environment's build folder.

    Raises:
        VectorOpsError: It cannot be built.
        AwsError: The certificate authorities of RDS cannot be fetched; functions on AWS carry them.
    """
    return _build(
        project, environment, RECOMMENDER, HANDLERS, "functions.txt", LAMBDA, max_bytes=MAX_ZIPPED_BYTES
    )


def build_loader(project: Project, environment: Environment) -> Package:
    """Build what the Glue job that loads embeddings runs into the environment's build folder.

    Raises:
        VectorOpsError: It cannot be built.
        AwsError: The certificate authorities of RDS cannot be fetched.
    """
    return _build(project, environment, LOADER, LOADER_MODULES, "glue.txt", GLUE, max_bytes=None)


def _build(
    project: Project,
    environment: Environment,
    name: str,
    entry_modules: Sequence[str],
    requirements: str,
    platform_on_aws: Platform,
    *,
    max_bytes: int | None,
) -> Package:
    folder = environment.state_dir / "build"
    build_function(
        folder / name,
        source_root=project.root,
        entry_modules=entry_modules,
        requirements=project.root / "requirements" / requirements,
        platform=Platform.of_this_interpreter() if environment.is_local else platform_on_aws,
        cache_dir=environment.state_dir / "build-cache",
        extra_files=_authorities(project, environment),
        max_bytes=max_bytes,
    )
    return _package(folder, name)


def _authorities(project: Project, environment: Environment) -> dict[str, Path]:
    # What runs in a private subnet cannot fetch the authorities itself.
    return {} if environment.is_local else {BUNDLE_NAME: rds_ca_bundle(project.root / ".tools")}


def _copy(script: Path, folder: Path) -> Package:
    name = f"glue/{script.name}"
    shutil.copyfile(script, folder / name)
    return _package(folder, name)


def _package(folder: Path, name: str) -> Package:
    return Package(name, folder / name, (folder / name).stat().st_size)
