"""What a function is told by its environment variables, which Terraform sets."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from vectorops.errors import UsageError

T = TypeVar("T")
MAX_LIMIT = 100


@dataclass(frozen=True)
class Configuration:
    """The settings of the recommender's functions; a variable is called as the attribute, in capitals.

    Attributes:
        aws_region: Set by Lambda.
        aws_endpoint_url: Set by the local target; None on AWS.
        database_host: Name of the database server, or of a proxy in front of it.
        database_port: 1 to 65535; default 5432.
        database_name: Of the database.
        database_secret_arn: Of the secret with its login, {"username": …, "password": …}.
        database_sslmode: "verify-full" (default), or "disable" for the local target.
        ml_artifacts_bucket: Bucket with the models.
        item_table: Table of item vectors, with ids of type text or varchar; default "item_emb".
        item_limit: Items in each list, 1 to 100; default 5.
        exclude_cart_items: Whether items in the cart are not recommended; default true.
        catalogue_budget_mb: A table up to this size on disk, in MiB, is held in memory; default 64.
        catalogue_max_age_s: The table and the model are read again after this many seconds, even where the
            log of loads has nothing new; default 900.
    """

    aws_region: str
    aws_endpoint_url: str | None
    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    database_sslmode: str
    ml_artifacts_bucket: str
    item_table: str
    item_limit: int
    exclude_cart_items: bool
    catalogue_budget_mb: int
    catalogue_max_age_s: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Configuration":
        """Read the environment variables.

        Raises:
            UsageError: One is missing, or its value is none it can have.
        """
        read = _Reader(environ)
        return cls(
            aws_region=read.text("AWS_REGION"),
            aws_endpoint_url=read.text("AWS_ENDPOINT_URL", "") or None,
            database_host=read.text("DATABASE_HOST"),
            database_port=read.number("DATABASE_PORT", 5432, 1, 65_535),
            database_name=read.text("DATABASE_NAME"),
            database_secret_arn=read.text("DATABASE_SECRET_ARN"),
            database_sslmode=read.choice("DATABASE_SSLMODE", ("verify-full", "disable")),
            ml_artifacts_bucket=read.text("ML_ARTIFACTS_BUCKET"),
            item_table=read.text("ITEM_TABLE", "item_emb"),
            item_limit=read.number("ITEM_LIMIT", 5, 1, MAX_LIMIT),
            exclude_cart_items=read.choice("EXCLUDE_CART_ITEMS", ("true", "false")) == "true",
            catalogue_budget_mb=read.number("CATALOGUE_BUDGET_MB", 64, 0, 4_096),
            catalogue_max_age_s=read.number("CATALOGUE_MAX_AGE_S", 900, 1, 86_400),
        )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environ.get(name, "").strip() or default
        if value is None:
            raise UsageError(
                f"environment variable {name} is not set", hint="Terraform sets it: deploy again"
            )
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        return self._checked(
            name, value, lambda: int(value), lambda n: least <= n <= most, f"{least} to {most}"
        )

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        return self._checked(name, value, lambda: value, lambda one: one in choices, " or ".join(choices))

    @staticmethod
    def _checked(
        name: str, value: str, parse: Callable[[], T], is_allowed: Callable[[T], bool], allowed: str
    ) -> T:
        try:
            parsed = parse()
        except ValueError:
            parsed = None
        if parsed is None or not is_allowed(parsed):
            raise UsageError(f"environment variable {name} is '{value}'", why=f"it must be {allowed}")
        return parsed
