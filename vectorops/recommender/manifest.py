"""The manifest: which model is in use, where its files are, and what they must hash to.

Light on purpose (no training libraries): deployed functions read it too.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import AwsError, InputDataError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANIFEST_KEY = "model/manifest.json"
FORMAT = 1
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Artifact:
    """One file of a model in the artefact bucket.

    Attributes:
        key: S3 key.
        sha256: Of its content, in hexadecimal.
        size_bytes: Its length.
    """

    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """A published model.

    Attributes:
        model_version: Name of the model.
        created_at: When it was published, ISO 8601 in UTC.
        dimension: Length of the vectors.
        metric: How vectors are compared, as the database calls it.
        training_data: S3 URL of the data it was trained on, "" when unknown.
        signature: Inputs and output of `user_tower` and `item_tower`, in ONNX's words.
        artifacts: By name: user_tower, item_tower, user_embeddings, item_embeddings, report.
        made_with: Versions of the libraries that made it.
    """

    model_version: str
    created_at: str
    dimension: int
    metric: str
    training_data: str
    signature: dict[str, Any]
    artifacts: dict[str, Artifact]
    made_with: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n").encode()


def check_version(model_version: str) -> None:
    """Refuse a version that cannot be part of a key.

    Raises:
        UsageError: It is not 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first.
    """
    if not _VERSION.fullmatch(model_version):
        raise UsageError(
            f"model version {model_version!r} cannot be used",
            why="it names folders in the artefact bucket",
            hint="use up to 64 letters, digits, '.', '-' and '_', starting with a letter or digit",
        )


def version_manifest_key(model_version: str) -> str:
    """Return the key of the manifest that a version keeps, whether it is in use or not."""
    return f"model/{model_version}/manifest.json"


def read_manifest(s3_client: "S3Client", bucket: str, *, key: str = MANIFEST_KEY) -> Manifest | None:
    """Return the manifest at `key` (default: of the model in use), or None where there is none.

    Raises:
        AwsError: The bucket cannot be read.
        InputDataError: What is there is not a manifest this version understands.
    """
    url = f"s3://{bucket}/{key}"
    try:
        content = s3_client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3_client.exceptions.NoSuchKey:
        return None
    except (ClientError, BotoCoreError) as exc:
        raise AwsError(f"cannot read {url}", why=str(exc)) from exc
    try:
        return _parse(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InputDataError(f"{url} is not a model manifest", why=f"{type(exc).__name__}: {exc}") from exc


def read_artifact(s3_client: "S3Client", bucket: str, artifact: Artifact) -> bytes:
    """Return the content of `artifact`, checked.

    Raises:
        AwsError: It cannot be read.
        InputDataError: Its content is not what the manifest promises.
    """
    url = f"s3://{bucket}/{artifact.key}"
    try:
        content = s3_client.get_object(Bucket=bucket, Key=artifact.key)["Body"].read()
    except (ClientError, BotoCoreError) as exc:
        raise AwsError(f"cannot read {url}", why=str(exc)) from exc
    found = hashlib.sha256(content).hexdigest()
    if found != artifact.sha256:
        raise InputDataError(
            f"{url} has been changed",
            why=f"its sha256 is {found}, and the manifest says {artifact.sha256}",
            hint="publish the model again under a new version: vectorops train --model-version …",
        )
    return content


def _parse(content: dict[str, Any]) -> Manifest:
    fields = dict(content)
    if (found := fields.pop("format")) != FORMAT:
        raise ValueError(f"format {found!r}, this version of vectorops reads {FORMAT}")
    fields["artifacts"] = {name: Artifact(**one) for name, one in fields["artifacts"].items()}
    return Manifest(**fields)
