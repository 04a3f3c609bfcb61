"""Loads with --resume: interrupted anywhere, they go on with what is not in yet, and no row is in twice."""

import io
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.embeddings.load_samples import GOOD, Loader, counts, large_csv
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, InputDataError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RESUME = Way(resume=True, group_bytes=1)
MANY = 120_000


def stop_after(rows: int) -> Callable[[int, int], None]:
    def stop(read: int, bytes_read: int) -> None:
        if read >= rows:
            raise KeyboardInterrupt

    return stop


def left(loader: Loader) -> list[str]:
    """Schemas that a load has left."""
    query = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^vectorops_load_'"
    return [name for (name,) in loader.connection.execute(query)]


def staged(loader: Loader) -> int:
    [schema] = left(loader)
    row = loader.connection.execute(f"SELECT count(*) FROM {schema}.vectorops_staged".encode()).fetchone()
    return int(row[0]) if row else 0


def three_files(loader: Loader, *, rows: int = 1_000) -> str:
    folder = loader.folder / "files"
    folder.mkdir(exist_ok=True)
    for letter in "abc":
        (folder / f"{letter}.csv").write_text(
            large_csv(rows).replace("\n", f"\n{letter}").removesuffix(letter)
        )
    return str(folder)


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
def test_an_interrupted_load_goes_on_with_the_files_that_are_not_in_yet(loader: Loader, mode: Any) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    folder, way = three_files(loader), Way(mode, resume=True)
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, way=way, on_progress=stop_after(2_500))
    assert staged(loader) == 2_000
    assert (loader.rows(), loader.loads()) == ({"z": [9, 9, 9]}, []), "nothing shows before all is there"
    seen: list[int] = []
    report = loader.load_files(folder, way=way, on_progress=lambda rows, _: seen.append(rows))
    assert max(seen) == 1_000
    assert (report.resumed_files, counts(report)) == (2, {"inserted": 3_000})
    assert report.bytes_read == sum(path.stat().st_size for path in Path(folder).iterdir())
    assert report.checksum is None
    assert len(loader.rows()) == (3_000 if mode == "replace" else 3_001)
    assert left(loader) == []
    [load] = loader.loads()
    assert (load.mode, load.rows_read, len(load.sources)) == (mode, 3_000, 3)


def test_it_goes_on_within_a_file(loader: Loader) -> None:
    path = loader.write(large_csv(MANY), "large.csv")
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(path, way=RESUME, on_progress=stop_after(2 * MANY // 3))
    before = staged(loader)
    assert 0 < before < MANY
    report = loader.load_files(path, way=RESUME)
    assert (counts(report), report.resumed_files) == ({"inserted": MANY}, 0)
    assert report.checksum is not None
    assert left(loader) == []


def test_blocks_that_are_cut_elsewhere_the_second_time_bring_no_row_twice(loader: Loader) -> None:
    path = loader.write(large_csv(MANY), "large.csv")
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(path, way=RESUME, on_progress=stop_after(2 * MANY // 3))
    [schema] = left(loader)
    loader.connection.execute(f"UPDATE {schema}.vectorops_progress SET next_line = next_line - 500".encode())
    assert counts(loader.load_files(path, way=RESUME)) == {"inserted": MANY}


def test_bad_rows_of_both_runs_are_in_the_rejects_file(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(loader.folder)
    folder = three_files(loader)
    for letter in "ac":
        with (Path(folder) / f"{letter}.csv").open("a") as file:
            file.write(f'bad\0{letter},"[1,2,nan]"\n')
    with (Path(folder) / "c.csv").open("a") as file:
        file.write('a7,"[1,2,3]"\n')
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, way=RESUME, on_error="reject", on_progress=stop_after(2_500))
    report = loader.load_files(folder, way=RESUME, on_error="reject")
    assert counts(report) == {"inserted": 3_000, "rejected": 3}
    assert report.rejects_path
    rejects = [(Path(one["source"]).name, one["line"]) for one in loader.rejects(report.rejects_path)]
    assert rejects == [("a.csv", "1002"), ("c.csv", "1002"), ("c.csv", "1003")]
    assert "a.csv line 9 already" in loader.rejects(report.rejects_path)[2]["reason"]


def test_a_file_that_was_changed_is_read_again_and_the_others_are_not(loader: Loader) -> None:
    folder = three_files(loader)
    with (Path(folder) / "b.csv").open("a") as file:
        file.write('b1000,"[1,2]"\n')
    with pytest.raises(InputDataError, match=r"b\.csv line 1002: the vector has 2 dimensions"):
        loader.load_files(folder, way=RESUME)
    path = Path(folder) / "b.csv"
    path.write_text(path.read_text().replace("[1,2]", "[1,2,3]"))
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, way=RESUME, on_progress=stop_after(1_500))
    path.write_text(path.read_text().replace("[0.125", "[0.5"))
    report = loader.load_files(folder, way=RESUME)
    assert (report.resumed_files, counts(report)) == (1, {"inserted": 3_001})
    assert loader.rows()["b1"] == [0.5, 0.125, 1]


def test_files_that_came_meanwhile_are_loaded_too(loader: Loader) -> None:
    folder = three_files(loader)
    options: dict[str, Any] = {"table": "new", "create": True, "way": RESUME, "on_error": "reject"}
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, on_progress=stop_after(2_500), **options)
    (Path(folder) / "aa.csv").write_text('id,embedding\nz,"[1,2,3]"\nb5,"[1,2,3]"\n')
    report = loader.load_files(folder, rejects_path=loader.folder / "rejects.csv", **options)
    assert (report.resumed_files, counts(report)) == (2, {"inserted": 3_001, "rejected": 1})
    [reject] = loader.rejects(loader.folder / "rejects.csv")
    assert (Path(reject["source"]).name, reject["line"]) == ("aa.csv", "3")
    assert "b.csv line 7 already" in reject["reason"]


def test_a_load_of_another_kind_begins_anew(loader: Loader) -> None:
    folder = three_files(loader)
    for way, rows in ((Way(resume=True), 2_500), (Way("replace", resume=True), 1_500)):
        with pytest.raises(KeyboardInterrupt):
            loader.load_files(folder, way=way, on_progress=stop_after(rows))
        assert staged(loader) == rows - 500
    (Path(folder) / "a.csv").unlink()
    phases: list[str] = []
    way = Way("replace", resume=True, on_phase=phases.append)
    assert counts(loader.load_files(folder, way=way)) == {"inserted": 2_000}
    assert phases[0] == "dropping what an interrupted load of other files or options has read"


def test_another_load_ends_what_could_have_been_resumed(loader: Loader) -> None:
    folder = three_files(loader)
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, way=RESUME, on_progress=stop_after(2_500))
    assert left(loader)
    phases: list[str] = []
    loader.load(GOOD, "public.t", way=Way(on_phase=phases.append))
    assert left(loader) == []
    assert phases == ["dropping what an interrupted load with --resume has read"]
    assert loader.load_files(folder, way=RESUME).resumed_files == 0


def test_a_table_that_is_to_be_created_appears_when_all_rows_are_there(loader: Loader) -> None:
    folder = three_files(loader)
    options: dict[str, Any] = {"table": "new", "create": True, "way": RESUME}
    with pytest.raises(KeyboardInterrupt):
        loader.load_files(folder, on_progress=stop_after(2_500), **options)
    assert loader.connection.execute("SELECT to_regclass('new')").fetchone() == (None,)
    report = loader.load_files(folder, **options)
    assert (report.created, report.resumed_files, counts(report)) == (True, 2, {"inserted": 3_000})
    assert loader.connection.execute("SELECT count(*) FROM new").fetchone() == (3_000,)


def test_what_can_be_read_only_once_is_refused(loader: Loader) -> None:
    with pytest.raises(UsageError, match="a load of standard input cannot be resumed"):
        load_embeddings(
            loader.connection, find_sources(["-"], stdin=io.BytesIO(GOOD.encode())), table="t", way=RESUME
        )
    assert left(loader) == []


def test_two_at_once_are_refused(loader: Loader, database_address: DatabaseAddress) -> None:
    with connect(database_address) as theirs:
        theirs.execute("SET search_path = public, vectorops")
        other = Loader(theirs, loader.folder)

        def load_too(rows: int, bytes_read: int) -> None:
            with pytest.raises(
                DatabaseError, match=r"another load with --resume into 'public\.t' is under way"
            ):
                other.load(GOOD, "public.t", way=RESUME)

        assert counts(loader.load_files(three_files(loader), way=RESUME, on_progress=load_too)) == {
            "inserted": 3_000
        }


def test_a_lost_connection_says_how_to_go_on(loader: Loader, database_address: DatabaseAddress) -> None:
    pid = loader.connection.info.backend_pid
    folder = three_files(loader)
    with connect(database_address) as other:

        def cut_off(rows: int, bytes_read: int) -> None:
            if rows >= 2_000:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))

        with pytest.raises(DatabaseError) as caught:
            loader.load_files(folder, way=RESUME, on_progress=cut_off)
        assert "--resume" in caught.value.hint
        other.execute("SET search_path = public, vectorops")
        report = Loader(other, loader.folder).load_files(folder, way=RESUME)
        assert (report.resumed_files, counts(report)) == (1, {"inserted": 3_000})


@pytest.mark.parametrize("seed", range(3))
def test_a_load_that_is_interrupted_again_and_again_ends_as_one_that_never_was(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(loader.folder)
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    folder = loader.folder / "many"
    folder.mkdir()
    expected, bad = {}, 0
    for number in range(generator.randrange(4, 9)):
        lines = ["id,embedding"]
        for row in range(generator.randrange(1, 400)):
            if generator.random() < 0.05:
                lines.append(f"{number}-{row},oops")
                bad += 1
            else:
                lines.append(f'{number}-{row},"[{row},{number},1]"')
                expected[f"{number}-{row}"] = [row, number, 1]
        (folder / f"{number}.csv").write_text("\n".join(lines))
    report = None
    for _ in range(1_000):
        way = Way("replace", resume=True, group_bytes=generator.choice([1, 1 << 20]))
        try:
            report = loader.load_files(
                str(folder), way=way, on_error="reject", on_progress=stop_after(generator.randrange(1, 1_200))
            )
        except KeyboardInterrupt:
            continue
        break
    assert report is not None
    assert counts(report) == {"inserted": len(expected), "rejected": bad}
    assert loader.rows() == expected
    assert left(loader) == []


def test_objects_in_s3_are_told_apart_by_their_etags(loader: Loader, s3: "S3Client") -> None:
    bucket = f"resumed-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket)
    for letter in "abc":
        s3.put_object(
            Bucket=bucket, Key=f"{letter}.csv", Body=large_csv(100).replace("\n", f"\n{letter}")[:-1]
        )

    def load(on_progress: Callable[[int, int], None] = lambda rows, bytes_read: None) -> LoadReport:
        sources = find_sources([f"s3://{bucket}/"], s3=s3)
        return load_embeddings(loader.connection, sources, table="t", way=RESUME, on_progress=on_progress)

    with pytest.raises(KeyboardInterrupt):
        load(stop_after(250))
    s3.put_object(Bucket=bucket, Key="a.csv", Body='id,embedding\nnew,"[1,2,3]"\n')
    report = load()
    assert (report.resumed_files, counts(report)) == (1, {"inserted": 201})
