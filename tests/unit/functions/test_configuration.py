"""The environment variables of the functions."""

import pytest

from vectorops.errors import UsageError
from vectorops.functions.configuration import Configuration

LEAST = {
    "AWS_REGION": "eu-central-1",
    "DATABASE_HOST": "db.example",
    "DATABASE_NAME": "vectors",
    "DATABASE_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds",
    "ML_ARTIFACTS_BUCKET": "artifacts",
}


def test_what_is_not_set_has_a_safe_default() -> None:
    configuration = Configuration.from_environ(LEAST)
    assert configuration.database_sslmode == "verify-full"
    assert configuration.aws_endpoint_url is None
    assert configuration.exclude_cart_items
    assert (configuration.database_port, configuration.item_table, configuration.item_limit) == (
        5432,
        "item_emb",
        5,
    )


def test_what_is_set_counts() -> None:
    environ = LEAST | {"ITEM_LIMIT": "7", "EXCLUDE_CART_ITEMS": "false", "DATABASE_SSLMODE": "disable"}
    configuration = Configuration.from_environ(environ)
    assert configuration.item_limit == 7
    assert not configuration.exclude_cart_items
    assert configuration.database_sslmode == "disable"


@pytest.mark.parametrize("name", LEAST)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"environment variable {name} is not set"):
        Configuration.from_environ(LEAST | {name: " "})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("DATABASE_PORT", "5432a", "it must be 1 to 65535"),
        ("DATABASE_PORT", "0", "it must be 1 to 65535"),
        ("ITEM_LIMIT", "101", "it must be 1 to 100"),
        ("EXCLUDE_CART_ITEMS", "no", "it must be true or false"),
        ("DATABASE_SSLMODE", "prefer", "it must be verify-full or disable"),
        ("CATALOGUE_BUDGET_MB", "-1", "it must be 0 to 4096"),
    ],
)
def test_a_wrong_value_is_quoted_with_what_it_must_be(name: str, value: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{value}': {why}"):
        Configuration.from_environ(LEAST | {name: value})
