"""A bucket and a catalog database, and the ways of putting a table into them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

TABLE = "ratings_ml_training"


@dataclass(frozen=True)
class Lake:
    """A bucket and a catalog database of a test's own."""

    s3: "S3Client"
    glue: "GlueClient"
    bucket: str
    database: str
    parameters: dict[str, str] = field(default_factory=dict)

    def location(self, folder: str = "") -> str:
        return f"s3://{self.bucket}/{TABLE}/{folder}"

    def put_parquet(self, key: str, rows: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        self.s3.put_object(Bucket=self.bucket, Key=f"{TABLE}/{key}", Body=sink.getvalue().to_pybytes())

    def create_table(self, partition_keys: dict[str, str] | None = None) -> None:
        keys = [{"Name": name, "Type": kind} for name, kind in (partition_keys or {}).items()]
        self.glue.create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": TABLE,
                "StorageDescriptor": {"Location": self.location(), "Columns": []},
                "PartitionKeys": keys,  # type: ignore[typeddict-item]
                "Parameters": self.parameters,
            },
        )

    def create_partitions(self, folders: dict[str, str]) -> None:
        """Register partitions with one key: value to folder below the table's location."""
        entries = [
            {"Values": [value], "StorageDescriptor": {"Location": self.location(folder)}}
            for value, folder in folders.items()
        ]
        for start in range(0, len(entries), 100):
            self.glue.batch_create_partition(
                DatabaseName=self.database,
                TableName=TABLE,
                PartitionInputList=entries[start : start + 100],  # type: ignore[arg-type]
            )


def rating_rows(customers: int = 12) -> list[dict[str, Any]]:
    """Training data: five ratings of each customer, at random."""
    rng = np.random.default_rng(0)
    return [
        {
            "customerNumber": 100 + customer,
            "city": f"City {customer}",
            "state": None,
            "postalCode": "44000",
            "country": "Norway",
            "creditLimit": None if customer == 0 else Decimal(1000 * customer),
            "productCode": f"S{product:02d}",
            "productLine": "Ships",
            "productScale": "1:18",
            "quantityInStock": int(product),
            "buyPrice": Decimal("10.50"),
            "MSRP": Decimal("20.50"),
            "productRating": int(rng.integers(1, 6)),
        }
        for customer in range(customers)
        for product in rng.choice(15, size=5, replace=False)
    ]


SCHEMA = pa.schema(
    {
        "customerNumber": pa.int32(),
        "city": pa.string(),
        "state": pa.string(),
        "postalCode": pa.string(),
        "country": pa.string(),
        "creditLimit": pa.decimal128(10, 2),
        "productCode": pa.string(),
        "productLine": pa.string(),
        "productScale": pa.string(),
        "quantityInStock": pa.int32(),
        "buyPrice": pa.decimal128(10, 2),
        "MSRP": pa.decimal128(10, 2),
        "productRating": pa.int32(),
    }
)


def training_table(customers: int = 12) -> pa.Table:
    return pa.Table.from_pylist(rating_rows(customers), schema=SCHEMA)
