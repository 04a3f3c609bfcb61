"""Publishing a model to the artefact bucket.

    embeddings/<version>/{user,item}_embeddings.csv     a version's files never change
    model/<version>/{user_tower.onnx,item_tower.onnx,report.json,manifest.json}
    embeddings/{user,item}_embeddings.csv               copies of the version in use
    model/manifest.json                                 names the version in use, written last

A reader that starts from `model/manifest.json` and follows its keys sees one version or another, never a
mixture.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from vectorops import __version__
from vectorops.errors import AwsError, InputDataError, UsageError
from vectorops.recommender.features import ITEM_SIGNATURE, USER_SIGNATURE
from vectorops.recommender.inference import ItemModel, UserModel
from vectorops.recommender.manifest import (
    MANIFEST_KEY,
    Artifact,
    Manifest,
    check_version,
    read_manifest,
    version_manifest_key,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from vectorops.recommender.training import TrainingResult

METRIC = "cosine"
_EMBEDDINGS = {"user_embeddings": "user_embeddings.csv", "item_embeddings": "item_embeddings.csv"}
_MODEL = {"user_tower": "user_tower.onnx", "item_tower": "item_tower.onnx", "report": "report.json"}
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "onnx", "onnxruntime")


@dataclass(frozen=True)
class ModelFiles:
    """The content of all files of a model.

    Attributes:
        user_tower: ONNX model with the inputs of `USER_SIGNATURE`.
        item_tower: ONNX model with the inputs of `ITEM_SIGNATURE`.
        user_embeddings: CSV with header `id,embedding`, one row per customer.
        item_embeddings: The same for products.
        report: JSON about the model's quality, in any shape.
    """

    user_tower: bytes = field(repr=False)
    item_tower: bytes = field(repr=False)
    user_embeddings: bytes = field(repr=False)
    item_embeddings: bytes = field(repr=False)
    report: bytes = field(repr=False)


@dataclass(frozen=True)
class Publication:
    """The version now in use.

    Attributes:
        manifest: As written to `model/manifest.json`.
        user_embeddings: S3 URL of its user embeddings, for `vectorops load-embeddings`.
        item_embeddings: S3 URL of its item embeddings.
        is_new: False where the version had been published before, with the same content.
    """

    manifest: Manifest
    user_embeddings: str
    item_embeddings: str
    is_new: bool


def publish_model(
    files: ModelFiles,
    s3_client: "S3Client",
    bucket: str,
    *,
    model_version: str,
    training_data: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_file: Callable[[str], None] = lambda _: None,
) -> Publication:
    """Write all files of a model and make it the one in use.

    Publishing the same content again writes nothing but the copies and the manifest of the version in use.

    Args:
        files: Of the reference model (`TrainingResult.files`) or of any model with the same signature.
        s3_client: Client that may read and write the bucket.
        bucket: The artefact bucket.
        model_version: Name of the model, see `check_version`.
        training_data: S3 URL of the data it was trained on, for the manifest.
        now: Clock for `created_at`, in UTC.
        on_file: Called with the key of each file that has been written.

    Raises:
        InputDataError: A tower is not a model with the signature, or the towers differ in dimension.
        UsageError: The version exists with other content, or is not allowed.
        AwsError: The bucket cannot be read or written; `model/manifest.json` has then not changed.
    """
    check_version(model_version)
    contents = {_key(name, model_version): content for name, content in vars(files).items()}
    manifest = Manifest(
        model_version=model_version,
        created_at=now().isoformat(timespec="seconds"),
        dimension=_dimension(files),
        metric=METRIC,
        training_data=training_data,
        signature={"user_tower": USER_SIGNATURE.as_dict(), "item_tower": ITEM_SIGNATURE.as_dict()},
        artifacts={name: _artifact(name, model_version, content) for name, content in vars(files).items()},
        made_with={"vectorops": __version__} | {name: version(name) for name in _LIBRARIES},
    )
    existing = read_manifest(s3_client, bucket, key=version_manifest_key(model_version))
    if existing:
        _check_unchanged(existing, manifest)
    else:
        for key, content in [*contents.items(), (version_manifest_key(model_version), manifest.to_json())]:
            _put(s3_client, bucket, key, content, on_file)
    return _use(existing or manifest, s3_client, bucket, is_new=existing is None, on_file=on_file)


def write_artifacts(
    result: "TrainingResult",
    s3_client: "S3Client",
    bucket: str,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_file: Callable[[str], None] = lambda _: None,
) -> Publication:
    """Publish what `train` made: `publish_model` with the result's files, version and source."""
    return publish_model(
        result.files,
        s3_client,
        bucket,
        model_version=result.report.model_version,
        training_data=result.training_data,
        now=now,
        on_file=on_file,
    )


def use_version(s3_client: "S3Client", bucket: str, model_version: str) -> Publication:
    """Make a version that was published before the one in use.

    Raises:
        InputDataError: No such version was published.
        AwsError: The bucket cannot be read or written; `model/manifest.json` has then not changed.
    """
    check_version(model_version)
    manifest = read_manifest(s3_client, bucket, key=version_manifest_key(model_version))
    if manifest is None:
        raise InputDataError(
            f"no model version '{model_version}' was published",
            why=f"s3://{bucket}/{version_manifest_key(model_version)} is not there",
            hint="'vectorops train --model-version …' publishes one",
        )
    return _use(manifest, s3_client, bucket, is_new=False, on_file=lambda _: None)


def _use(
    manifest: Manifest,
    s3_client: "S3Client",
    bucket: str,
    *,
    is_new: bool,
    on_file: Callable[[str], None],
) -> Publication:
    for name, file in _EMBEDDINGS.items():
        source = {"Bucket": bucket, "Key": manifest.artifacts[name].key}
        with _write_errors(f"s3://{bucket}/embeddings/{file}"):
            # Not `copy_object`, which ends at 5 GB.
            s3_client.copy(source, bucket, f"embeddings/{file}")  # type: ignore[arg-type]
        on_file(f"embeddings/{file}")
    _put(s3_client, bucket, MANIFEST_KEY, manifest.to_json(), on_file)
    urls = {name: f"s3://{bucket}/embeddings/{file}" for name, file in _EMBEDDINGS.items()}
    return Publication(manifest, **urls, is_new=is_new)


def _key(name: str, model_version: str) -> str:
    if name in _EMBEDDINGS:
        return f"embeddings/{model_version}/{_EMBEDDINGS[name]}"
    return f"model/{model_version}/{_MODEL[name]}"


def _artifact(name: str, model_version: str, content: bytes) -> Artifact:
    return Artifact(_key(name, model_version), hashlib.sha256(content).hexdigest(), len(content))


def _dimension(files: ModelFiles) -> int:
    user, item = UserModel(files.user_tower).dimension, ItemModel(files.item_tower).dimension
    if user != item:
        raise InputDataError(
            f"the user tower has {user} dimensions and the item tower {item}", why="they must be equal"
        )
    return user


def _check_unchanged(existing: Manifest, wanted: Manifest) -> None:
    differing = sorted(name for name, one in wanted.artifacts.items() if existing.artifacts.get(name) != one)
    if differing:
        raise UsageError(
            f"model version '{wanted.model_version}' exists with other content",
            why=f"it was published {existing.created_at}; its {', '.join(differing)} would change",
            hint="choose another --model-version: a published version never changes",
        )


def _put(
    s3_client: "S3Client", bucket: str, key: str, content: bytes, on_file: Callable[[str], None]
) -> None:
    with _write_errors(f"s3://{bucket}/{key}"):
        s3_client.upload_fileobj(io.BytesIO(content), bucket, key)
    on_file(key)


@contextmanager
def _write_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as exc:
        raise AwsError(
            f"cannot write {url}", why=str(exc), hint="the version in use has not changed; try again"
        ) from exc
