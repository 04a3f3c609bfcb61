"""Columns of type halfvec, bit and sparsevec hold what pgvector's own input makes of the same text."""

import pytest

from tests.integration.embeddings.load_samples import Loader, counts

COLUMNS = {
    "halfvec(3)": ["[1,-0.5,1e-05]", "[65504,0,0]", "[0.1,0.2,0.3]"],
    "bit(3)": ["010", "111", "000"],
    "bit(10)": ["0101010101", "1111111111"],
    "sparsevec(5)": ["{1:0.5,3:1}/5", "{}/5", "{5:-2e3}/5", "{3:1,1:2}/5", "{2:0,4:1}/5"],
}
WRONG = {
    "halfvec(3)": ("[65520,0,0]", "component 1 of the vector, '65520', is out of range for halfvec"),
    "bit(3)": ("0101", "the vector has 4 dimensions, column embedding of v takes 3"),
    "bit(10)": ("[0,1,2,0,0,0,0,0,0,0]", "component 3 of the vector, '2', is out of range for bit"),
    "sparsevec(5)": ("{6:1}/5", "the element '6:1' of the vector has no index of its own, 1 to 5"),
}


def csv(texts: list[str]) -> str:
    return "id,embedding\n" + "".join(f'{number},"{text}"\n' for number, text in enumerate(texts))


@pytest.mark.parametrize("type_", COLUMNS)
def test_vectors_arrive_as_pgvector_reads_them(loader: Loader, type_: str) -> None:
    texts = COLUMNS[type_]
    loader.connection.execute(f"CREATE TABLE v (id int PRIMARY KEY, embedding {type_})".encode())
    assert counts(loader.load(csv(texts), table="v")) == {"inserted": len(texts)}
    # Compared to the bit, as "=" is not.
    for number, text in enumerate(texts):
        same = f"SELECT ROW(embedding)::record *= ROW(%s::{type_})::record FROM v WHERE id = %s"
        assert loader.connection.execute(same.encode(), (text, number)).fetchone() == (True,)
    assert counts(loader.load(csv(texts), table="v")) == {"unchanged": len(texts)}


@pytest.mark.parametrize("type_", WRONG)
def test_what_the_type_does_not_take_is_rejected(
    loader: Loader, type_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    loader.connection.execute(f"CREATE TABLE v (id int PRIMARY KEY, embedding {type_})".encode())
    text, reason = WRONG[type_]
    report = loader.load(csv([COLUMNS[type_][0], text]), table="v", on_error="reject")
    assert counts(report) == {"inserted": 1, "rejected": 1}
    assert report.rejects_path
    assert [reject["reason"] for reject in loader.rejects(report.rejects_path)] == [reason]


@pytest.mark.parametrize(("type_", "shown"), [("bit(3)", "101"), ("sparsevec(3)", "{1:1,3:1}/3")])
def test_dense_vectors_become_bits_and_sparse_vectors(loader: Loader, type_: str, shown: str) -> None:
    loader.connection.execute(f"CREATE TABLE v (id int PRIMARY KEY, embedding {type_})".encode())
    loader.load(csv(["[1,0,1]"]), table="v")
    assert loader.connection.execute("SELECT embedding::text FROM v").fetchall() == [(shown,)]
