"""Sample data of any size, in the shape of the MySQL sample database and with the same awkward values."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from vectorops.errors import UsageError
from vectorops.source.tables import Row, SourceData

# Accents, states that are null, and a country with trailing blanks: city, state, postal code, country.
PLACES = (
    ("Nantes", None, "44000", "France"),
    ("Besançon", None, "25000", "France"),
    ("San Rafael", "CA", "97562", "USA"),
    ("New Bedford", "MA", "50553", "USA"),
    ("Århus", None, "8200", "Denmark"),
    ("Luleå", None, "S-958 22", "Sweden"),
    ("Stavern", None, "4110", "Norway"),
    ("Tromsø", None, "N 9008", "Norway  "),
    ("Köln", None, "50739", "Germany"),
    ("Melbourne", "Victoria", "3004", "Australia"),
    ("Montréal", "Québec", "H1J 1C3", "Canada"),
    ("Genève", None, "1203", "Switzerland"),
    ("Málaga", None, "29001", "Spain"),
    ("Auckland  ", None, None, "New Zealand"),
    ("Singapore", None, "079903", "Singapore"),
    ("Cowes", "Isle of Wight", "PO31 7PJ", "UK"),
)
LINES = ("Classic Cars", "Motorcycles", "Planes", "Ships", "Trains", "Trucks and Buses", "Vintage Cars")
SCALES = (10, 12, 18, 24, 32, 50, 72, 700)
_SURNAMES = (
    "Schmitt",
    "O'Hara",
    "Müller",
    "Fresnière",
    "Larsson",
    "King",
    "Sørensen",
    "García",
    "Young",
    "Rancé",
)
_FORENAMES = ("Carine ", "Jean", "José Pedro ", "Susan", "Jonas ", "Béatrice", "Mary", "Peter", "Åsa", "Kwai")
_COUNTRIES = sorted({place[3].rstrip() for place in PLACES})
_ROWS_PER_BLOCK = 10_000
_SHARE_WHO_RATE = 0.8
_SHARE_OF_FAVOURITES = 0.6
_FIRST_CUSTOMER = 103


@dataclass(frozen=True)
class _Shape:
    """What customers and products have in common with their ratings; index i is the i-th of them.

    Attributes:
        places: int, index in `PLACES`.
        numbers: int, customer numbers, ascending with gaps.
        lines: int, index in `LINES`.
        codes: Product codes.
    """

    places: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    codes: list[str]


def generate_sample(
    customers: int = 122, products: int = 110, ratings: int = 2_500, seed: int = 1
) -> SourceData:
    """Return made-up rows; the same arguments give the same rows, and one row at a time is in memory.

    A fifth of the customers rate nothing, and the last product is rated by nobody. The customers of a country
    prefer two product lines: they rate them more often and higher, so that there is something to learn.

    Args:
        customers: Number of customers.
        products: Number of products.
        ratings: Number of ratings, each of another pair of customer and product.
        seed: Another seed gives other rows.

    Raises:
        UsageError: There are not enough pairs for so many ratings.
    """
    raters = max(1, int(customers * _SHARE_WHO_RATE))
    if customers < 1 or products < 2 or ratings > raters * (products - 1):
        raise UsageError(
            f"{customers:,} customers and {products:,} products cannot have {ratings:,} ratings",
            why=f"{raters:,} customers rate, each of {max(products - 1, 0):,} products once at most",
            hint="ask for more customers or products",
        )
    random = np.random.default_rng(seed)
    shape = _Shape(
        places=random.permutation(np.arange(customers) % len(PLACES)),
        numbers=_FIRST_CUSTOMER + np.cumsum(random.integers(1, 6, customers) * (np.arange(customers) > 0)),
        lines=random.permutation(np.arange(products) % len(LINES)),
        codes=[f"S{SCALES[n % len(SCALES)]}_{1001 + 3 * n}" for n in range(products)],
    )
    return SourceData(
        _customers(shape, np.random.default_rng(seed + 1)),
        _products(shape, np.random.default_rng(seed + 2)),
        _ratings(shape, raters, ratings, np.random.default_rng(seed + 3)),
    )


def _customers(shape: _Shape, random: np.random.Generator) -> Iterator[Row]:
    for index, (number, place) in enumerate(zip(shape.numbers.tolist(), shape.places.tolist(), strict=True)):
        city, state, postal_code, country = PLACES[place]
        surname, forename = _SURNAMES[index % len(_SURNAMES)], _FORENAMES[index // 3 % len(_FORENAMES)]
        second_line = f"Level {index % 30}" if index % 5 == 0 else None
        sales_representative = 1_165 + index % 15 if index % 6 else None
        credit = Decimal(0 if index % 5 == 2 else int(random.integers(110, 1400)) * 100)
        yield (
            number,
            f"{surname} & Co. {number}",
            surname,
            forename,
            f"{random.integers(10**8, 10**9)}",
            f"{random.integers(1, 900)}, rue de l'Abbaye",
            second_line,
            city,
            state,
            postal_code,
            country,
            sales_representative,
            None if index % 40 == 7 else credit,
        )


def _products(shape: _Shape, random: np.random.Generator) -> Iterator[Row]:
    for index, (code, line) in enumerate(zip(shape.codes, shape.lines.tolist(), strict=True)):
        scale = SCALES[index % len(SCALES)]
        price = Decimal(int(random.integers(1_500, 10_500))) / 100
        yield (
            code,
            f"{1900 + index % 110} {LINES[line]} No. {index + 1}",
            LINES[line],
            f"1:{scale}",
            f"{_SURNAMES[index % len(_SURNAMES)]} Diecast",
            f"Model, about {index % 30 + 4}\" long.\r\nIts doors open; it's the collectors\u2019 choice.",
            int(random.integers(15, 9_999)),
            price,
            (price * Decimal("1.8")).quantize(Decimal("0.01")),
        )


def _ratings(shape: _Shape, raters: int, ratings: int, random: np.random.Generator) -> Iterator[Row]:
    """Yield the ratings customer by customer: first some of the favourite lines, then some of the others."""
    products = len(shape.codes) - 1
    by_line = [np.flatnonzero(shape.lines[:products] == line) for line in range(len(LINES))]
    appeal = random.normal(0, 0.5, products)
    counts = _counts(raters, ratings, products, random)
    chosen_customers = random.permutation(len(shape.numbers))[:raters]
    for customer, count in zip(chosen_customers.tolist(), counts.tolist(), strict=True):
        if not count:
            continue
        country = _COUNTRIES.index(PLACES[shape.places[customer]][3].rstrip())
        liked = (country % len(LINES), (country + 3) % len(LINES))
        favourites = np.concatenate([by_line[line] for line in liked])
        others = np.concatenate([by_line[line] for line in range(len(LINES)) if line not in liked])
        of_favourites = min(len(favourites), round(count * _SHARE_OF_FAVOURITES))
        of_favourites = max(of_favourites, count - len(others))
        picked = np.concatenate(
            [
                random.choice(favourites, of_favourites, replace=False),
                random.choice(others, count - of_favourites, replace=False),
            ]
        )
        liking = np.where(np.arange(count) < of_favourites, 3.9, 2.1)
        values = np.clip(np.rint(liking + appeal[picked] + random.normal(0, 0.5, count)), 1, 5).astype(int)
        number = int(shape.numbers[customer])
        for product, value in zip(picked.tolist(), values.tolist(), strict=True):
            yield number, shape.codes[product], value


def _counts(raters: int, ratings: int, most: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Share `ratings` out among the customers, unevenly, at most `most` to each."""
    weights = random.lognormal(0, 0.6, raters)
    counts: npt.NDArray[np.int64] = np.minimum(
        np.floor(weights / weights.sum() * ratings).astype(np.int64), most
    )
    while missing := ratings - int(counts.sum()):
        free = np.flatnonzero(counts < most)
        counts[random.permutation(free)[:missing]] += 1
    return counts
