"""What the job does when something is wrong: readers keep what they had, and the run says why."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from urllib.parse import urlsplit

import psutil
import pytest

from tests.integration.functions.relay import Relay
from tests.integration.glue.etl import Etl, Run
from vectorops.aws import Aws
from vectorops.local.ports import LOOPBACK
from vectorops.source import generate_sample, init_source

BAD_ROWS = """
ALTER TABLE ratings DROP CONSTRAINT ratings_pkey;
ALTER TABLE ratings ALTER "customerNumber" DROP NOT NULL, ALTER "productRating" DROP NOT NULL;
INSERT INTO ratings SELECT NULL, "productCode", 3 FROM products LIMIT 2;
INSERT INTO ratings SELECT "customerNumber", "productCode", 5 FROM ratings WHERE "productRating" = 2 LIMIT 3;
UPDATE ratings SET "productRating" = 9
WHERE ctid IN (SELECT ctid FROM ratings WHERE "productRating" = 4 LIMIT 4);
INSERT INTO ratings SELECT 99999, "productCode", 3 FROM products LIMIT 5;
"""


@pytest.fixture(scope="module")
def written(etl: Etl) -> Etl:
    with etl.source() as connection:
        init_source(connection, generate_sample())
    assert etl.run_well(partition_by="country")["rows_written"] == 2500
    return etl


@pytest.fixture
def filled(written: Etl) -> Etl:
    """Training data of earlier runs, and a source without a fault."""
    with written.source() as connection:
        init_source(connection, generate_sample())
    return written


def test_a_failed_gate_writes_nothing_and_says_what_failed_and_thresholds_let_rows_through(
    filled: Etl,
) -> None:
    before, keys = filled.read(), filled.keys()
    with filled.source() as connection:
        connection.execute(BAD_ROWS)
    refused = filled.run(partition_by="country")
    assert refused.exit_code == 1
    assert refused.error == (
        "QualityGateError: the quality gate failed on 2,510 ratings: "
        "null_keys 2 (at most 0, --max_null_keys); "
        "bad_ratings 4 (at most 0, --max_bad_ratings); orphans 5 (at most 0, --max_orphans); "
        "duplicates 3 (at most 0, --max_duplicates); nothing is written"
    )
    assert refused.metrics["quality"] == {"null_keys": 2, "bad_ratings": 4, "orphans": 5, "duplicates": 3}
    assert refused.metrics["rows_written"] == 0
    assert (filled.read(), filled.keys()) == (before, keys)

    metrics = filled.run_well(
        partition_by="none", max_null_keys="2", max_bad_ratings="0.2%", max_orphans="5", max_duplicates="3"
    )
    rows = filled.read()
    assert len(rows) == metrics["rows_written"] == 2500 - 4
    assert {row[-1] for row in rows} <= {1, 2, 3, 4, 5}
    assert (metrics["partitions"], metrics["files"]) == (0, 1)
    changed = {row[:-1]: row[-1] for row in before}
    raised = [row for row in rows if changed[row[:-1]] != row[-1]]
    assert {(changed[row[:-1]], row[-1]) for row in raised} == {(2, 5)}, "of two ratings the higher one stays"


def test_more_partitions_than_allowed_are_refused_with_advice(filled: Etl) -> None:
    before = filled.read()
    refused = filled.run(max_partitions="20")
    assert refused.exit_code == 1
    assert "partition_by customerNumber makes 97 partitions, more than 20" in refused.error
    assert "--partition_by country makes 13" in refused.error
    assert filled.read() == before


def test_what_is_wrong_with_the_source_or_the_catalog_is_named(filled: Etl) -> None:
    url = f"jdbc:mysql://{filled.server.host}:{filled.server.port}/{filled.name}"
    closed = f"jdbc:mysql://{filled.server.host}:1/{filled.name}"
    wrong = f"{filled.name}-wrong"
    secrets = filled.aws.client("secretsmanager")
    secrets.create_secret(Name=wrong, SecretString='{"username": "vectorops", "password": "not this one"}')
    filled.create_connection(url, secret=wrong, name="wrong-password")
    filled.create_connection(closed, secret=filled.name, name="source-down")
    filled.create_connection(url, secret="no-such-secret", name="no-secret")
    before = filled.read()
    runs = [
        (filled.start(connection_name="wrong-password"), "password authentication failed"),
        (filled.start(connection_name="source-down"), f"{filled.server.host}:1 does not answer"),
        (filled.start(connection_name="no-secret"), "ResourceNotFoundException"),
        (filled.start(source_database="postgres"), 'relation "customers" does not exist'),
        (
            filled.start(catalog_table="elsewhere"),
            f"no table {filled.name}.elsewhere: run 'vectorops deploy'",
        ),
        (
            filled.start(partition_by="town"),
            "partition_by names no column 'town': choose from customerNumber",
        ),
    ]
    for run, reason in runs:
        outcome = run.wait()
        assert outcome.exit_code == 1
        assert reason in outcome.error
        assert "not this one" not in outcome.output + (run.work_dir / "stderr").read_text()
    assert filled.read() == before


@pytest.mark.parametrize(("victim", "rating"), [("spark", 1), ("everything", 2)])
def test_a_kill_in_mid_write_leaves_the_old_data_and_the_next_run_clears_up(
    filled: Etl, victim: str, rating: int
) -> None:
    with filled.source() as connection:
        connection.execute('UPDATE ratings SET "productRating" = %s', [rating])
    before, keys = filled.read(), filled.keys()
    with _held_in_mid_write(filled) as run:
        assert 0 < len(filled.keys()) - len(keys) < 97
        _kill(run, victim)
    assert run.wait().exit_code != 0
    assert filled.read() == before
    assert filled.read_location() == len(before)

    metrics = filled.run_well(partition_by="country")
    assert metrics["rows_written"] == 2500
    assert {row[-1] for row in filled.read()} == {rating}
    assert len(filled.keys()) == metrics["files"], "files of the killed run are still there"


@contextmanager
def _held_in_mid_write(etl: Etl) -> Iterator[Run]:
    """Start a run that has written a few files, and writes no more before the block ends."""
    written, is_held, goes_on = [0], Event(), Event()

    def hold(content: bytes) -> None:
        written[0] += len(re.findall(rb"PUT /\S+\.parquet", content))
        if written[0] > 3:
            is_held.set()
            goes_on.wait()

    address = urlsplit(etl.aws.endpoint_url or "")
    relay = Relay(str(address.hostname), address.port or 0, on_request=hold)
    url = f"http://{LOOPBACK}:{relay.port}"
    aws = Aws(etl.aws.region, endpoint_url=url, credentials=etl.aws.credentials)
    run = replace(etl, aws=aws).start()
    try:
        while not is_held.wait(0.1):
            assert run.process.poll() is None, f"the run ended before it wrote anything: {run.wait()}"
        yield run
    finally:
        goes_on.set()
    run.process.wait()
    relay.close()


def _kill(run: Run, victim: str) -> None:
    if victim == "everything":
        os.killpg(run.process.pid, signal.SIGKILL)
        return
    for child in psutil.Process(run.process.pid).children(recursive=True):
        if child.name() == "java":
            child.kill()
