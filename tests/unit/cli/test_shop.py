from decimal import Decimal

import pyarrow as pa

from vectorops.cli.shop import shop_of
from vectorops.streaming.sample import Shopper


def test_a_training_table_names_every_customer_and_product_once() -> None:
    rows = [
        {
            "customerNumber": number,
            "city": city,
            "country": "France",
            "creditLimit": limit,
            "productCode": code,
        }
        for number, city, limit in ((114, "Besançon", None), (103, "Nantes", Decimal("21000.00")))
        for code in ("S2", "S1", "S3")
    ]
    shop = shop_of(pa.Table.from_pylist(rows), "table a.b")
    assert shop.shoppers == [
        Shopper(103, "Nantes", "France", 21_000.0),
        Shopper(114, "Besançon", "France", None),
    ]
    assert shop.product_codes == ["S1", "S2", "S3"]
    assert shop.origin == "table a.b"
