import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectorops.database.filters import (
    OPERATORS,
    Filter,
    check_columns,
    conditions,
    filter_parameters,
    filters_shape,
    parse_filter,
)
from vectorops.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 20", Filter("price", "<", ("20",))),
        ("price<=20", Filter("price", "<=", ("20",))),
        ("  price   !=   20  ", Filter("price", "<>", ("20",))),
        ("lang = 'en'", Filter("lang", "=", ("en",))),
        ("name = 'O''Brien'", Filter("name", "=", ("O'Brien",))),
        ("name = a = b", Filter("name", "=", ("a = b",))),
        ("name = ''", Filter("name", "=", ("",))),
        ("name LIKE Ford %", Filter("name", "like", ("Ford %",))),
        ("name not  ilike %x%", Filter("name", "not ilike", ("%x%",))),
        ("lang in en, fr", Filter("lang", "in", ("en", "fr"))),
        ("lang NOT IN (en,'a, b')", Filter("lang", "not in", ("en", "a, b"))),
        ("title is not null", Filter("title", "is not null")),
        ("title IS NULL", Filter("title", "is null")),
        ('tags @> {"a": 1}', Filter("tags", "@>", ('{"a": 1}',))),
        ('"odd ""name"" <" > 3', Filter('odd "name" <', ">", ("3",))),
        ("prix_été >= 3", Filter("prix_été", ">=", ("3",))),
        ("a = '; DROP TABLE items; --", Filter("a", "=", ("'; DROP TABLE items; --",))),
        ("a = line\nbreak", Filter("a", "=", ("line\nbreak",))),
    ],
)
def test_a_filter_is_read_as_column_operator_and_values(text: str, expected: Filter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "price",
        "price <",
        "< 3",
        "price ~ 3",
        "price between 1 and 2",
        "lang in",
        "lang in ()",
        "pricein 3",
        "title is 3",
    ],
)
def test_what_is_no_filter_is_refused_with_the_operators_there_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    assert "price < 20" in caught.value.hint


def test_an_operator_of_ones_own_is_refused() -> None:
    with pytest.raises(UsageError, match="no operator is called '= 1 OR 1'"):
        Filter("price", "= 1 OR 1", ("1",))


@given(st.text(min_size=1), st.sampled_from(["=", "<", "like", "@>"]), st.text())
def test_no_part_of_a_filter_but_its_quoted_column_becomes_sql(
    column: str, operator: str, value: str
) -> None:
    one = Filter(column, operator, (value,))
    [condition] = conditions([one])
    quoted = '"' + column.replace('"', '""').replace("\0", "") + '"'
    assert condition.as_string(None).replace("\0", "") == f"{quoted} {operator} %(filter_0)s"
    assert filter_parameters([one]) == {"filter_0": value}


@given(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    st.sampled_from(OPERATORS),
    st.lists(st.from_regex(r"[a-z0-9%]{1,8}", fullmatch=True), min_size=2, max_size=4),
)
def test_a_filter_written_as_text_reads_back(column: str, operator: str, values: list[str]) -> None:
    count = 0 if operator.endswith("null") else len(values) if operator.endswith("in") else 1
    one = Filter(column, operator, tuple(values[:count]))
    assert parse_filter(one.text) == one


def test_several_filters_have_parameters_of_their_own() -> None:
    filters = [parse_filter(text) for text in ("a in 1, 2", "b is null", "c = 3")]
    assert filter_parameters(filters) == {"filter_0": "1", "filter_1": "2", "filter_2": "3"}
    assert [one.as_string(None) for one in conditions(filters)] == [
        '"a" in (%(filter_0)s, %(filter_1)s)',
        '"b" is null ',
        '"c" = %(filter_2)s',
    ]


def test_the_shape_of_filters_leaves_their_values_and_their_order_out() -> None:
    first, second = parse_filter("price < 20"), parse_filter("lang = en")
    assert filters_shape([first, second]) == filters_shape([second, parse_filter("price < 3")])
    assert filters_shape([first]) != filters_shape([parse_filter("price > 20")])
    assert filters_shape([]) == ""


def test_a_filter_on_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no column 'cost' to filter by: its columns are id, price"):
        check_columns([parse_filter("cost < 2")], ["id", "price"], "public.items")
