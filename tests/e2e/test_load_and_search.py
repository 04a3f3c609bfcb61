"""What a user does with embeddings, through the CLI, against the deployed stack."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.aws import client
from tests.e2e.cli import Cli

GOOD = 'id,embedding\nA,"[1,0,0]"\nB,"[0.9,0.1,0]"\nC,"[0,1,0]"\n'


def load(stack: Cli, folder: Path, text: str, table: str, *options: str) -> dict[str, int]:
    source = folder / "embeddings.csv"
    source.write_text(text)
    report: dict[str, int] = stack.ok("load-embeddings", source, "--table", table, *options, "--json").json
    return report


def read_csv(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [line.split(",", 1) for line in path.read_text().splitlines()[1:]]
    vectors = [np.fromstring(text.strip('"[]'), dtype=np.float32, sep=",") for _, text in rows]
    return [row[0] for row in rows], np.array(vectors)


def test_a_file_loads_and_the_nearest_row_is_found(stack: Cli, tmp_path: Path) -> None:
    report = load(stack, tmp_path, GOOD, "small", "--create")
    assert (report["inserted"], report["rejected"]) == (3, 0)
    found = stack.ok("search", "small", "--id", "A", "-k", "2", "--json").json
    assert [row["id"] for row in found] == ["B", "C"]
    assert set(found[0]) == {"id", "score"}


def test_loading_again_duplicates_nothing_as_re_ingesting_a_video_did(stack: Cli, tmp_path: Path) -> None:
    load(stack, tmp_path, GOOD, "again", "--create")
    report = load(stack, tmp_path, GOOD, "again")
    assert (report["inserted"], report["updated"], report["unchanged"]) == (0, 0, 3)


def test_a_bad_row_stops_the_load_with_its_line_and_nothing_is_loaded(stack: Cli, tmp_path: Path) -> None:
    load(stack, tmp_path, GOOD, "careful", "--create")
    bad = tmp_path / "bad.csv"
    bad.write_text(GOOD.replace("C,", "D,") + 'E,"[1,nan,0]"\n')
    answer = stack.run("load-embeddings", bad, "--table", "careful")
    assert answer.code == 7
    assert "line 5" in answer.err
    assert "nan" in answer.err
    assert len(stack.ok("search", "careful", "--vector", "[1,0,0]", "--json").json) == 3


def test_rejected_rows_go_to_a_file_and_the_exit_code_says_so(stack: Cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(GOOD + 'E,"[1,nan,0]"\n')
    rejects = tmp_path / "rejects.csv"
    options = ("--table", "tolerant", "--create", "--on-error", "reject", "--rejects", rejects)
    answer = stack.run("load-embeddings", bad, *options)
    assert answer.code == 6
    assert "nan" in rejects.read_text()
    assert len(stack.ok("search", "tolerant", "--vector", "[1,0,0]", "--json").json) == 3


def test_standard_input_and_compressed_files_are_read(stack: Cli, tmp_path: Path) -> None:
    packed = gzip.compress(GOOD.encode())
    answer = stack.ok("load-embeddings", "-", "--table", "piped", "--create", "--json", stdin=packed)
    assert answer.json["inserted"] == 3


def test_a_missing_table_is_answered_with_those_there_are(stack: Cli) -> None:
    answer = stack.run("search", "item_embeddings", "--id", "A")
    assert answer.code == 3
    assert "public.item_emb" in answer.err


@pytest.mark.parametrize(
    ("file", "table", "options"),
    [
        ("item_embeddings.csv", "real_items", ("--create",)),
        ("user_embeddings.csv", "real_users", ("--create",)),
        ("product_text_embeddings_384.csv", "real_texts", ("--create",)),
    ],
)
def test_real_embeddings_are_found_in_the_order_of_exact_numpy(
    stack: Cli, real_data: Path, file: str, table: str, options: tuple[str, ...]
) -> None:
    stack.ok("load-embeddings", real_data / file, "--table", table, *options)
    ids, vectors = read_csv(real_data / file)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit[0]
    expected = [ids[index] for index in np.argsort(-scores) if index != 0][:10]
    found = stack.ok("search", table, "--id", ids[0], "--json").json
    assert [str(row["id"]) for row in found] == expected
    assert found[0]["score"] == pytest.approx(float(np.sort(scores)[-2]), abs=1e-5)


@pytest.mark.parametrize("name", ["out.parquet", "out.npy", "out.csv"])
def test_an_exported_table_can_be_loaded_again(stack: Cli, tmp_path: Path, name: str) -> None:
    table = name.replace(".", "_")
    load(stack, tmp_path, GOOD, table, "--create")
    path = tmp_path / name
    exported = stack.ok("export", table, path, "--json").json
    assert (exported["rows"], exported["columns"]) == (3, ["id", "embedding"])
    assert stack.run("export", table, path).code == 2
    report = stack.ok("load-embeddings", path, "--table", table, "--json").json
    assert (report["read"], report["unchanged"]) == (3, 3)


def test_spark_loads_what_this_machine_finds_there_already(stack: Cli, tmp_path: Path) -> None:
    s3 = client(stack, "s3")
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"] if "ml-artifacts" in one["Name"])
    s3.put_object(Bucket=bucket, Key="spread/a.csv", Body=GOOD.encode())
    s3.put_object(Bucket=bucket, Key="spread/b.csv", Body=b'id,embedding\nD,"[0,0,1]"\nE,"[0,1]"\n')
    load = (
        "load-embeddings",
        f"s3://{bucket}/spread/",
        "--table",
        "spread",
        "--create",
        "--on-error",
        "reject",
    )
    answer = stack.run(*load, "--engine", "glue", "--rejects", tmp_path / "rejects.csv", "--json")
    assert answer.code == 6, answer.err
    assert (answer.json["inserted"], answer.json["rejected"]) == (4, 1)
    assert f"s3://{bucket}/spread/b.csv,3," in (tmp_path / "rejects.csv").read_text()
    again = stack.run(*load, "--rejects", tmp_path / "again.csv", "--json").json
    assert (again["unchanged"], again["rejected"]) == (4, 1)
    assert "Glue" in stack.run("load-embeddings", tmp_path, "--table", "spread", "--engine", "glue").err
