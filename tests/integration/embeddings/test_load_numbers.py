"""The loaded numbers against PostgreSQL's own reading of the same text."""

import random
from decimal import Decimal, localcontext

import numpy as np
import pytest

from tests.integration.embeddings.load_samples import Loader, counts

EDGES = [
    *["0", "-0", "0.0", "-0.0", "1", "-1", "0.1", "1e-5", ".5", "5.", "1E+05", "9007199254740993"],
    *["16777217", "16777216.9999999999999999999", "16777217.0000000000000000001"],
    *["1.17549435e-38", "1.17549428e-38", "1e-45", "1.4e-45", "1e-46", "1e-99"],
    *["7.006492321624085e-46", "7.006492321624086e-46"],
    *["3.4028235e38", "3.40282356779733661637e38", "340282356779733661637539395458142568447"],
    *["0.30000001192092896", "0.1000000014901161193847656250000000000000001"],
]


def middle(value: np.float32) -> Decimal:
    """Return the number exactly between a float32 and the next."""
    with localcontext(prec=200):
        return (Decimal(float(value)) + Decimal(float(np.nextafter(value, np.float32(np.inf))))) / 2


def random_texts(count: int) -> list[str]:
    """Return decimal texts of many lengths, half of them at or next to the middle of two float32."""
    generator = random.Random(7)  # noqa: S311 - not for secrets
    texts: list[str] = []
    while len(texts) < count:
        value = np.uint32(generator.getrandbits(32)).view(np.float32)
        if not np.isfinite(value) or abs(value) > 3e38:
            continue
        texts.append(f"{float(value):.{generator.randrange(1, 25)}e}")
        with localcontext(prec=200):
            nudge = Decimal(generator.choice([-1, 0, 1])) * abs(middle(value)) * Decimal("1e-22")
            texts.append(f"{middle(value) + nudge}")
    return texts


@pytest.mark.parametrize("style", ["texts", "columns", "careful"])
def test_every_number_is_the_one_that_postgres_reads(loader: Loader, style: str) -> None:
    texts = EDGES + random_texts(6_000)
    texts += ["0"] * (-len(texts) % 100)
    rows = [texts[start : start + 100] for start in range(0, len(texts), 100)]
    loader.connection.execute("CREATE TABLE n (id integer PRIMARY KEY, embedding vector(100))")
    if style == "columns":
        header = "id," + ",".join(map(str, range(100)))
        lines = [f"{number},{','.join(row)}" for number, row in enumerate(rows)]
    else:
        header = "id,embedding"
        blank = (
            "" if style == "texts" else " "
        )  # A blank before the quote is what the fast parser leaves alone.
        lines = [f'{number},{blank}"[{",".join(row)}]"' for number, row in enumerate(rows)]
    report = loader.load("\n".join([header, *lines]), "n")
    assert counts(report) == {"inserted": len(rows)}
    for number, row in enumerate(rows):
        same = loader.connection.execute(
            "SELECT vector_send(embedding) = vector_send(%s::vector) FROM n WHERE id = %s",
            (f"[{','.join(row)}]", number),
        ).fetchone()
        assert same == (True,), f"row {number}"
