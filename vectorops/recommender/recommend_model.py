"""The user tower that belongs to the item vectors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vectorops.errors import InputDataError
from vectorops.recommender.inference import UserModel
from vectorops.recommender.manifest import (
    MANIFEST_KEY,
    Manifest,
    check_version,
    read_artifact,
    read_manifest,
    version_manifest_key,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HINT = "publish one with 'vectorops train'"


@dataclass(frozen=True)
class PublishedUserModel:
    """A user tower from the artefact bucket.

    Attributes:
        manifest: Of its version.
        model: The tower.
    """

    manifest: Manifest
    model: UserModel


def read_user_model(
    s3_client: "S3Client",
    bucket: str,
    model_version: str | None,
    *,
    held: PublishedUserModel | None = None,
) -> PublishedUserModel:
    """Return the user tower of `model_version`, or of the version in use where that is None.

    Args:
        s3_client: Client that may read the bucket.
        bucket: The artefact bucket.
        model_version: As the load of the item vectors recorded it.
        held: Returned again when the bucket still names the same file, which is then not read.

    Raises:
        InputDataError: There is no such version, or its tower cannot be read.
        UsageError: No version can have that name.
        AwsError: The bucket cannot be read.
    """
    if model_version is not None:
        check_version(model_version)
    key = MANIFEST_KEY if model_version is None else version_manifest_key(model_version)
    manifest = read_manifest(s3_client, bucket, key=key)
    if manifest is None:
        raise _not_published(bucket, model_version)
    tower = manifest.artifacts["user_tower"]
    if held is not None and held.manifest.artifacts["user_tower"] == tower:
        return PublishedUserModel(manifest, held.model)
    return PublishedUserModel(manifest, UserModel(read_artifact(s3_client, bucket, tower)))


def _not_published(bucket: str, model_version: str | None) -> InputDataError:
    if model_version is None:
        return InputDataError(f"s3://{bucket} holds no model", hint=_HINT)
    return InputDataError(
        f"the item vectors were made by model '{model_version}', which is not published in s3://{bucket}",
        why="users must be embedded by the model that embedded the items",
        hint=f"{_HINT}, or load vectors of a published version",
    )
