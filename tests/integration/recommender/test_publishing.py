from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.integration.recommender.data_lake import Lake, training_table
from vectorops.errors import AwsError, InputDataError, UsageError
from vectorops.recommender.artifacts import Publication, publish_model, use_version, write_artifacts
from vectorops.recommender.features import USER_SIGNATURE
from vectorops.recommender.inference import UserModel
from vectorops.recommender.manifest import Manifest, read_artifact, read_manifest
from vectorops.recommender.training import TrainingResult, train

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def first() -> TrainingResult:
    return train(training_table(), model_version="v1")


@pytest.fixture(scope="module")
def second() -> TrainingResult:
    return train(training_table(customers=20), model_version="v2")


def publish(lake: Lake, result: TrainingResult) -> Publication:
    return write_artifacts(result, lake.s3, lake.bucket, now=lambda: NOON)


def in_use(lake: Lake) -> Manifest:
    manifest = read_manifest(lake.s3, lake.bucket)
    assert manifest is not None
    return manifest


def files_of(lake: Lake, manifest: Manifest) -> dict[str, bytes]:
    return {name: read_artifact(lake.s3, lake.bucket, one) for name, one in manifest.artifacts.items()}


def content(lake: Lake, key: str) -> bytes:
    return lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read()


def keys(lake: Lake) -> list[str]:
    return [entry["Key"] for entry in lake.s3.list_objects_v2(Bucket=lake.bucket).get("Contents", [])]


def test_a_publication_has_every_file_once_per_version_and_the_embeddings_in_use(
    lake: Lake, first: TrainingResult
) -> None:
    publish(lake, first)
    assert keys(lake) == [
        "embeddings/item_embeddings.csv",
        "embeddings/user_embeddings.csv",
        "embeddings/v1/item_embeddings.csv",
        "embeddings/v1/user_embeddings.csv",
        "model/manifest.json",
        "model/v1/item_tower.onnx",
        "model/v1/manifest.json",
        "model/v1/report.json",
        "model/v1/user_tower.onnx",
    ]
    assert content(lake, "embeddings/item_embeddings.csv") == first.files.item_embeddings
    assert content(lake, "embeddings/user_embeddings.csv") == first.files.user_embeddings


def test_the_manifest_says_all_that_a_reader_needs(lake: Lake, first: TrainingResult) -> None:
    publication = publish(lake, replace(first, training_data="s3://lake/ratings_ml_training/"))
    manifest = in_use(lake)
    assert manifest == publication.manifest
    assert manifest.model_version == "v1"
    assert manifest.created_at == "2026-11-21T12:00:00+00:00"
    assert (manifest.dimension, manifest.metric) == (32, "cosine")
    assert manifest.training_data == "s3://lake/ratings_ml_training/"
    assert manifest.signature["user_tower"] == USER_SIGNATURE.as_dict()
    assert files_of(lake, manifest) == vars(first.files)
    assert publication.item_embeddings == f"s3://{lake.bucket}/embeddings/item_embeddings.csv"


def test_a_model_read_back_through_the_manifest_embeds(lake: Lake, first: TrainingResult) -> None:
    publish(lake, first)
    model = UserModel(read_artifact(lake.s3, lake.bucket, in_use(lake).artifacts["user_tower"]))
    assert model.embed([{"city": "Nantes", "country": "France", "creditlimit": "21,000"}]).shape == (1, 32)


def test_publishing_the_same_again_changes_nothing(lake: Lake, first: TrainingResult) -> None:
    assert publish(lake, first).is_new
    before = {key: content(lake, key) for key in keys(lake)}
    again = write_artifacts(train(training_table(), model_version="v1"), lake.s3, lake.bucket)
    assert not again.is_new
    assert {key: content(lake, key) for key in keys(lake)} == before


def test_a_published_version_never_changes(lake: Lake, first: TrainingResult, second: TrainingResult) -> None:
    publish(lake, first)
    before = {key: content(lake, key) for key in keys(lake)}
    with pytest.raises(UsageError, match=r"'v1' exists with other content.*user_tower would change"):
        publish_model(second.files, lake.s3, lake.bucket, model_version="v1")
    assert {key: content(lake, key) for key in keys(lake)} == before


@pytest.mark.parametrize("files_written", range(1, 9))
def test_a_publication_that_is_killed_half_way_leaves_the_version_in_use(
    lake: Lake, first: TrainingResult, second: TrainingResult, files_written: int
) -> None:
    publish(lake, first)
    written: list[str] = []

    def die(key: str) -> None:
        written.append(key)
        if len(written) == files_written:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_artifacts(second, lake.s3, lake.bucket, on_file=die)
    manifest = in_use(lake)
    assert manifest.model_version == "v1"
    assert files_of(lake, manifest) == vars(first.files)
    publish(lake, second)
    assert in_use(lake).model_version == "v2"


def test_a_former_version_can_be_used_again(
    lake: Lake, first: TrainingResult, second: TrainingResult
) -> None:
    publish(lake, first)
    publish(lake, second)
    assert content(lake, "embeddings/user_embeddings.csv") == second.files.user_embeddings
    use_version(lake.s3, lake.bucket, "v1")
    assert in_use(lake).model_version == "v1"
    assert content(lake, "embeddings/user_embeddings.csv") == first.files.user_embeddings


def test_a_version_that_was_never_published_cannot_be_used(lake: Lake) -> None:
    with pytest.raises(InputDataError, match="no model version 'v9' was published"):
        use_version(lake.s3, lake.bucket, "v9")


def test_a_bucket_without_a_model_has_no_manifest(lake: Lake) -> None:
    assert read_manifest(lake.s3, lake.bucket) is None


@pytest.mark.parametrize("spoilt", [b"", b"[]", b'{"format": 2}', b'{"format": 1, "model_version": "v1"}'])
def test_what_is_not_a_manifest_is_refused(lake: Lake, spoilt: bytes) -> None:
    lake.s3.put_object(Bucket=lake.bucket, Key="model/manifest.json", Body=spoilt)
    with pytest.raises(InputDataError, match=r"model/manifest\.json is not a model manifest"):
        read_manifest(lake.s3, lake.bucket)


def test_a_file_that_was_changed_behind_the_manifest_is_refused(lake: Lake, first: TrainingResult) -> None:
    publish(lake, first)
    lake.s3.put_object(Bucket=lake.bucket, Key="model/v1/user_tower.onnx", Body=b"something else")
    with pytest.raises(InputDataError, match="has been changed"):
        read_artifact(lake.s3, lake.bucket, in_use(lake).artifacts["user_tower"])


def test_a_model_of_another_signature_is_not_published(lake: Lake, first: TrainingResult) -> None:
    swapped = replace(first.files, user_tower=first.files.item_tower)
    with pytest.raises(InputDataError, match="its signature must be"):
        publish_model(swapped, lake.s3, lake.bucket, model_version="own")
    assert keys(lake) == []


def test_towers_of_different_dimensions_are_not_published(lake: Lake, first: TrainingResult) -> None:
    small = train(training_table(), dimension=8, model_version="small")
    with pytest.raises(InputDataError, match="the user tower has 8 dimensions and the item tower 32"):
        publish_model(
            replace(first.files, user_tower=small.files.user_tower), lake.s3, lake.bucket, model_version="own"
        )


def test_a_bucket_that_is_not_there_is_an_aws_error(lake: Lake, first: TrainingResult) -> None:
    with pytest.raises(AwsError, match="NoSuchBucket"):
        write_artifacts(first, lake.s3, "no-such-bucket")
