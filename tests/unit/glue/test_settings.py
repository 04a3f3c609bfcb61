from types import ModuleType

import pytest

REQUIRED = {
    "JOB_NAME": "etl",
    "connection_name": "source",
    "source_database": "classicmodels",
    "data_lake_path": "s3://lake/ratings_ml_training",
    "catalog_database": "db",
    "catalog_table": "ratings_ml_training",
}


def argv(**arguments: str) -> list[str]:
    words = ["script.py"]
    for name, value in (REQUIRED | arguments).items():
        words += [f"--{name}", value]
    return words


def test_arguments_left_out_have_defaults(ratings_etl: ModuleType) -> None:
    settings = ratings_etl.read_settings(argv())
    assert settings.partition_by == ("customerNumber",)
    assert settings.max_partitions == 1000
    assert settings.data_lake_path == "s3://lake/ratings_ml_training/"
    assert {kind: limit.text for kind, limit in settings.thresholds.items()} == {
        "null_keys": "0",
        "bad_ratings": "0",
        "orphans": "0",
        "duplicates": "0",
    }


@pytest.mark.parametrize("words", [["--max_partitions", "7"], ["--max_partitions=7"]])
def test_a_given_argument_overrules_its_default(ratings_etl: ModuleType, words: list[str]) -> None:
    assert ratings_etl.read_settings([*argv(), *words]).max_partitions == 7


def test_arguments_that_glue_adds_do_no_harm(ratings_etl: ModuleType) -> None:
    added = [
        "--JOB_RUN_ID",
        "jr_1",
        "--TempDir",
        "s3://t/",
        "--enable-metrics",
        "true",
        "--job-language",
        "python",
    ]
    assert ratings_etl.read_settings([*argv(), *added]).job_name == "etl"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("none", ()),
        ("None", ()),
        ("", ()),
        ("country", ("country",)),
        ("country, state", ("country", "state")),
    ],
)
def test_partition_by_is_a_list_or_none(ratings_etl: ModuleType, text: str, columns: tuple[str, ...]) -> None:
    assert ratings_etl.parse_partition_by(text) == columns


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("partition_by", "town", "no column 'town'"),
        ("partition_by", "country,country", "names a column twice"),
        ("max_partitions", "0", "max_partitions is '0': give a whole number from 1"),
        ("read_partitions", "-2", "read_partitions is '-2'"),
        ("fetch_size", "many", "fetch_size is 'many'"),
        ("max_orphans", "few", "'few' is no threshold"),
        ("max_orphans", "0.5", "'0.5' is no threshold"),
        ("data_lake_path", "/tmp/lake", "'/tmp/lake/' is no folder of a bucket"),  # noqa: S108
        ("data_lake_path", "s3://lake", "'s3://lake/' is no folder of a bucket"),
    ],
)
def test_a_wrong_value_is_quoted(ratings_etl: ModuleType, name: str, value: str, reason: str) -> None:
    with pytest.raises(ratings_etl.EtlError, match=reason.replace("(", r"\(")):
        ratings_etl.read_settings(argv(**{name: value}))


@pytest.mark.parametrize(
    ("threshold", "bad", "allowed"),
    [
        ("0", 0, True),
        ("0", 1, False),
        ("12", 12, True),
        ("12", 13, False),
        ("0.5%", 5, True),
        ("0.5%", 6, False),
    ],
)
def test_a_threshold_is_a_count_or_a_share_of_the_ratings(
    ratings_etl: ModuleType, threshold: str, bad: int, allowed: bool
) -> None:
    assert ratings_etl.Threshold(threshold).allows(bad, 1000) is allowed


def test_an_empty_ratings_table_never_replaces_the_training_data(ratings_etl: ModuleType) -> None:
    nothing_bad = {"null_keys": 0, "bad_ratings": 0, "orphans": 0, "duplicates": 0}
    quality = ratings_etl.Quality({"customers": 1, "products": 1, "ratings": 0}, nothing_bad, repeated=0)
    generous = {kind: ratings_etl.Threshold("100%") for kind in nothing_bad}
    with pytest.raises(ratings_etl.QualityGateError, match="table ratings is empty"):
        ratings_etl.check_quality(quality, generous)


def test_a_customer_who_is_there_twice_would_multiply_ratings_whatever_the_thresholds(
    ratings_etl: ModuleType,
) -> None:
    nothing_bad = {"null_keys": 0, "bad_ratings": 0, "orphans": 0, "duplicates": 0}
    quality = ratings_etl.Quality({"customers": 3, "products": 1, "ratings": 9}, nothing_bad, repeated=1)
    generous = {kind: ratings_etl.Threshold("100%") for kind in nothing_bad}
    with pytest.raises(ratings_etl.QualityGateError, match="there already 1 "):
        ratings_etl.check_quality(quality, generous)
