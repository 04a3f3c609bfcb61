from decimal import Decimal
from pathlib import Path

import pytest

from vectorops.errors import InputDataError
from vectorops.source import read_dump, read_ratings

PRODUCT = "('S1','Car','Cars','1:10','Maker','Text',5,'1.50','2.50')"
CUSTOMER = "(103,'Atelier','A','B','1','54, rue',NULL,'Nantes',NULL,'44000','France',1370,'21000.00')"
RATINGS = [(103, "S1", 5)]


def dump(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "dump.sql"
    path.write_bytes(text.encode(encoding))
    return path


def inserts(customer: str = CUSTOMER, product: str = PRODUCT) -> str:
    return f"INSERT INTO `customers` VALUES {customer};\nINSERT INTO `products` VALUES {product};\n"


def test_numbers_text_and_nulls_get_their_types(tmp_path: Path) -> None:
    data = read_dump(dump(tmp_path, inserts()), RATINGS)
    (customer,) = data.customers
    assert customer[0] == 103
    assert customer[6] is None
    assert customer[-1] == Decimal("21000.00")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_names_with_accents_are_read_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    text = inserts(CUSTOMER.replace("Nantes", "Besançon \u2013 l\u2019Étoile"))
    (customer,) = read_dump(dump(tmp_path, text, encoding), RATINGS).customers
    assert customer[7] == "Besançon \u2013 l\u2019Étoile"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"La Corne D\'abondance", "La Corne D'abondance"),
        ("O''Hara", "O'Hara"),
        (r"10\" long", '10" long'),
        (r"one\r\ntwo\\", "one\r\ntwo\\"),
        ("Norway  ", "Norway  "),
        ("a); DROP TABLE x; -- ", "a); DROP TABLE x; -- "),
        ("NULL", "NULL"),
        ("", ""),
    ],
)
def test_text_is_what_mysql_would_take_it_for(tmp_path: Path, written: str, meant: str) -> None:
    text = inserts(CUSTOMER.replace("Nantes", written))
    (customer,) = read_dump(dump(tmp_path, text), RATINGS).customers
    assert customer[7] == meant


def test_comments_other_tables_and_several_statements_are_no_obstacle(tmp_path: Path) -> None:
    text = f"""-- MySQL dump 10.13; INSERT INTO `customers` VALUES (1);
/*!40101 SET NAMES utf8 */;
# another comment
DROP TABLE IF EXISTS `customers`;
LOCK TABLES `customers` WRITE;
insert  into `customers` values {CUSTOMER},
{CUSTOMER.replace("103", "104")};
INSERT IGNORE INTO `customers` VALUES {CUSTOMER.replace("103", "105")};
INSERT INTO `offices` VALUES (1,'x');
REPLACE INTO products VALUES {PRODUCT};
UNLOCK TABLES;
"""
    data = read_dump(dump(tmp_path, text), RATINGS)
    assert [row[0] for row in data.customers] == [103, 104, 105]
    assert len(list(data.products)) == 1


@pytest.mark.parametrize(
    "names",
    [
        "CREATE TABLE `ratings` (`productRating` smallint(6), `productCode` varchar(15), "
        "`customerNumber` int(11), PRIMARY KEY (`customerNumber`,`productCode`), KEY `k` (`productCode`(3)));"
        "INSERT INTO `ratings` VALUES (5,'S1',103);",
        "INSERT INTO ratings (productRating, productCode, customerNumber) VALUES (5,'S1',103);",
        "INSERT INTO `ratings` (`productRating`,`productCode`,`customerNumber`) VALUES (5,_utf8mb4'S1',103);",
    ],
)
def test_columns_are_found_by_name_in_whatever_order_they_come(tmp_path: Path, names: str) -> None:
    assert list(read_dump(dump(tmp_path, inserts() + names)).ratings) == RATINGS


def test_without_a_ratings_table_they_are_derived_from_the_orders(tmp_path: Path) -> None:
    orders = "INSERT INTO orders (orderNumber,customerNumber) VALUES (1,103),(2,103),(3,7);"
    lines = ",".join(f"(1,'P{n}',{n})" for n in range(1, 11))
    columns = "orderNumber,productCode,quantityOrdered"
    details = f"INSERT INTO orderdetails ({columns}) VALUES {lines},(2,'P1',30);"
    data = read_dump(dump(tmp_path, inserts() + orders + details))
    ratings = {product: rating for _, product, rating in data.ratings}
    assert [ratings[f"P{n}"] for n in range(2, 11)] == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert ratings["P1"] == 5  # 1 and 30 pieces in two orders


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rows of table customers"),
        ("id,embedding\nS1,[0.5]\n", "no rows of table customers"),
        ("PK\x03\x04\x00", "is no text"),
        (f"INSERT INTO `customers` VALUES {CUSTOMER};", "no rows of table products"),
        (inserts()[:-21], "breaks off in the text that begins in line 2"),
        (inserts().rstrip(";\n"), "breaks off in its last statement"),
        (inserts(CUSTOMER.replace("103", "'x'")), "'x' in customers.customerNumber is no int"),
        (
            inserts(CUSTOMER.replace("21000.00", "much")),
            r"'much' in customers.creditLimit is no decimal\(10,2\)",
        ),
        (inserts(CUSTOMER.replace("103", "NULL")), "a row of table customers has no customerNumber"),
        (inserts(CUSTOMER.replace(",NULL", "")), "has 11 values, but there are 13 columns"),
        (inserts(), "no rows of table ratings, nor orders to derive them from"),
    ],
)
def test_what_is_wrong_with_a_dump_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputDataError, match=reason):
        read_dump(dump(tmp_path, text))


def test_the_real_dump_gives_the_real_ratings(real_data: Path) -> None:
    data = read_dump(real_data / "mysqlsampledatabase.sql")
    assert (len(list(data.customers)), len(list(data.products))) == (122, 110)
    assert sorted(data.ratings) == sorted(read_ratings(real_data / "ratings.csv"))
    assert {row[10] for row in data.customers if row[10].startswith("Norway")} == {"Norway", "Norway  "}
