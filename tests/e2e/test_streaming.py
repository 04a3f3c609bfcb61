"""Events through the deployed stream, whatever is killed or forbidden meanwhile; and the inference API."""

import csv
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.aws import client, deny_action
from tests.e2e.cli import Cli
from tests.e2e.deliveries import Deliveries, outputs_of

POISON = [b"oops", b'"text"', b"[1]", b"\xff\xfe", b'{"a": NaN}', b'{"recommended_items": []}']
# So many that one answer of the transform cannot hold them: 5,000,000 bytes, some 800 for each.
CROWD = 9_000


@dataclass(frozen=True)
class Scenario:
    """What was sent, and what became of it before anything was replayed.

    Attributes:
        crowd: Events that came all at once.
        calm: Events that came when all was well.
        forbidden: Events that came while the delivery stream might not call its function.
        poison: Records that are no events.
    """

    crowd: list[bytes]
    calm: list[bytes]
    forbidden: list[bytes]
    poison: list[bytes]
    delivered: Counter[str]
    failed: dict[bytes, list[str]]

    @property
    def good(self) -> list[bytes]:
        return [*self.crowd, *self.calm, *self.forbidden]


@pytest.fixture(scope="module")
def ready(stack: Cli) -> Cli:
    """The stack with a model in use and the embeddings that belong to it."""
    s3, bucket = client(stack, "s3"), outputs_of(stack)["ml_artifacts_bucket"]
    if not s3.list_objects_v2(Bucket=bucket, Prefix="model/manifest.json")["KeyCount"]:
        stack.ok("demo")
    manifest = json.loads(s3.get_object(Bucket=bucket, Key="model/manifest.json")["Body"].read())
    for table in ("item", "user"):
        stack.ok(
            "load-embeddings", f"s3://{bucket}/embeddings/{table}_embeddings.csv",
            "--table", f"{table}_emb", "--model-version", manifest["model_version"],
        )  # fmt: skip
    return stack


@pytest.fixture(scope="module")
def deliveries(ready: Cli) -> Deliveries:
    return Deliveries(ready)


@pytest.fixture(scope="module")
def item(ready: Cli) -> str:
    """The id of an item."""
    with connected(ready) as connection:
        return str(connection.execute("SELECT min(id) FROM item_emb").fetchone()[0])  # type: ignore[index]


@pytest.fixture(scope="module")
def scenario(
    ready: Cli, deliveries: Deliveries, item: str, tmp_path_factory: pytest.TempPathFactory
) -> Scenario:
    """Send events while the database hangs and is killed, the function is killed, a permission is missing."""
    folder = tmp_path_factory.mktemp("events")
    crowd, calm = events("crowd", CROWD, item), events("calm", 1_000, item)
    forbidden = events("forbidden", 300, item)
    poison = [data + b" " * number for number in range(5) for data in POISON]
    with hanging_database(ready):
        send(ready, folder, calm[:500])
        time.sleep(3)  # a call of the function has begun, and waits; meanwhile, a crowd gathers in the stream
        send(ready, folder, crowd)
        put(ready, poison)
        kill_function(ready, "transform")
    send(ready, folder, calm[500:])
    deliveries.wait_for([*crowd, *calm, *poison])
    with forbidden_function(ready):
        send(ready, folder, forbidden)
        deliveries.wait_for(forbidden)
    return Scenario(
        crowd, calm, forbidden, poison, deliveries.delivered.copy(),
        {data: codes.copy() for data, codes in deliveries.failed.items()},
    )  # fmt: skip


@pytest.fixture(scope="module")
def replayed(ready: Cli, scenario: Scenario, deliveries: Deliveries) -> Any:
    """The report of a replay, when all of it has been delivered."""
    report = ready.ok("stream", "replay", "--json").json
    deliveries.wait(lambda: all(session(event) in deliveries.delivered for event in scenario.good))
    return report


def test_every_event_is_delivered_once_or_failed_with_its_reason(scenario: Scenario) -> None:
    for event in scenario.good:
        ends = scenario.delivered[session(event)] + len(scenario.failed.get(event, []))
        assert ends == 1, (event, scenario.failed.get(event))
    assert {codes for event in scenario.calm for codes in scenario.failed.get(event, [])} == set()
    assert {code for event in scenario.forbidden for code in scenario.failed[event]} == {
        "Lambda.InvokeAccessDenied"
    }


def test_poison_fails_alone_as_one_bad_event_failed_the_batch_in_the_lab(scenario: Scenario) -> None:
    assert {data: scenario.failed[data] for data in scenario.poison} == {
        data: ["Lambda.ProcessingFailedStatus"] for data in scenario.poison
    }


def test_an_answer_that_would_be_too_large_fails_what_exceeds_it_and_not_the_batch(
    scenario: Scenario,
) -> None:
    exceeding = [event for event in scenario.crowd if event in scenario.failed]
    assert 0 < len(exceeding) < CROWD / 2
    assert {code for event in exceeding for code in scenario.failed[event]} == {
        "Lambda.ProcessingFailedStatus"
    }


def test_after_a_replay_all_good_events_are_delivered_once(
    ready: Cli, scenario: Scenario, replayed: Any, deliveries: Deliveries
) -> None:
    failed = [event for event in scenario.good if event in scenario.failed]
    assert (replayed["replayed"], replayed["failed"], replayed["busy"]) == (len(failed), 0, 0)
    assert sum(replayed["faulty"].values()) >= len(scenario.poison)
    again = ready.ok("stream", "replay", "--json").json
    assert (again["replayed"], again["before"]) == (0, replayed["replayed"] + replayed["before"])
    flush(ready, deliveries)
    counts = Counter({session(event): deliveries.delivered[session(event)] for event in scenario.good})
    assert set(counts.values()) == {1}


def test_athena_counts_what_was_delivered(ready: Cli, scenario: Scenario, replayed: Any) -> None:
    outputs = outputs_of(ready)
    query = (
        "SELECT count(*), count(DISTINCT session_id), count(DISTINCT recommended_items[1].id) > 0 "
        f"FROM {outputs['recommendations_table']} "
        "WHERE session_id LIKE 'crowd-%' OR session_id LIKE 'calm-%' OR session_id LIKE 'forbidden-%'"
    )
    assert ask_athena(ready, outputs, query) == [[str(len(scenario.good)), str(len(scenario.good)), "true"]]


def test_status_counts_the_events_and_names_the_failures(ready: Cli, scenario: Scenario) -> None:
    report = ready.ok("stream", "status", "--json").json
    readings = {reading["key"]: reading["whole"] for reading in report["readings"]}
    assert readings["events_in"] >= len(scenario.good) + len(scenario.poison)
    assert readings["delivered"] >= sum(scenario.delivered[session(event)] for event in scenario.good)
    assert readings["transform_success"] < 1
    assert readings["records_failed"] >= len(scenario.poison)
    assert report["failures"]["objects"] > 0
    assert {part["state"] for part in report["parts"]} <= {"ACTIVE", "Active"}


def test_the_log_of_the_delivery_stream_says_why_calls_failed(ready: Cli, scenario: Scenario) -> None:
    group = f"/aws/kinesisfirehose/{outputs_of(ready)['delivery_stream_name']}"
    found = client(ready, "logs").get_log_events(logGroupName=group, logStreamName="delivery")
    text = "\n".join(event["message"] for event in found["events"])
    assert "Lambda.FunctionError" in text
    assert "Lambda.InvokeAccessDenied" in text


def test_tail_shows_recommendations_as_json_lines(ready: Cli, scenario: Scenario) -> None:
    answer = ready.ok("stream", "tail", "--since", "1h", "--count", "20", "--json")
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert len(lines) == 20
    assert all(line["event"]["recommended_items"] for line in lines)


def test_a_tail_whose_reader_has_enough_ends_quietly(ready: Cli, scenario: Scenario) -> None:
    command = [sys.executable, "-m", "vectorops", "stream", "tail", "--since", "1h", "--json"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ready.project, env=ready.environ(), **pipes) as tail:
        assert json.loads(tail.stdout.readline())  # type: ignore[union-attr]
        tail.stdout.close()  # type: ignore[union-attr]
        assert tail.stderr.read() == b""  # type: ignore[union-attr]
    assert tail.returncode == 0


def test_a_tail_says_that_it_waits(ready: Cli) -> None:
    command = [sys.executable, "-m", "vectorops", "stream", "tail", "--since", "1s"]
    with subprocess.Popen(
        command, cwd=ready.project, env=ready.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as tail:
        assert b"waiting for objects below s3://" in tail.stderr.readline()  # type: ignore[union-attr]
        tail.send_signal(signal.SIGINT)
        assert b"interrupted" in tail.stderr.read()  # type: ignore[union-attr]
    assert tail.returncode == 130


def test_ctrl_c_ends_sending_with_exact_counts(ready: Cli, deliveries: Deliveries, tmp_path: Path) -> None:
    path, total = tmp_path / "events.jsonl", 20_000
    path.write_bytes(b"\n".join(events("stopped", total, "x")))
    command = [
        sys.executable,
        "-m",
        "vectorops",
        "stream",
        "send",
        "--file",
        str(path),
        "--rate",
        "50",
        "--json",
    ]
    sending = subprocess.Popen(command, cwd=ready.project, env=ready.environ(), stdout=subprocess.PIPE)
    deliveries.wait(lambda: bool(deliveries.sessions("stopped-")))
    sending.send_signal(signal.SIGINT)
    report = json.loads(sending.communicate()[0])
    assert sending.returncode == 130
    assert report["acknowledged"] + report["unsent"] == total
    assert report["failed"] == 0
    flush(ready, deliveries)
    assert deliveries.sessions("stopped-") == Counter(f"stopped-{n}" for n in range(report["acknowledged"]))


def test_ctrl_c_ends_sending_from_a_pipe_that_has_fallen_silent(ready: Cli, deliveries: Deliveries) -> None:
    command = [sys.executable, "-m", "vectorops", "stream", "send", "--file", "-", "--json"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ready.project, env=ready.environ(), **pipes) as sending:
        sending.stdin.write(b"\n".join([*events("piped", 510, "x"), b'{"session_id": "half']))  # type: ignore[union-attr]
        sending.stdin.flush()  # type: ignore[union-attr]
        deliveries.wait(lambda: bool(deliveries.sessions("piped-")))
        sending.send_signal(signal.SIGINT)
        report = json.loads(sending.stdout.read())  # type: ignore[union-attr]
    assert sending.returncode == 130
    assert (report["acknowledged"], report["failed"], report["skipped"]) == (510, 0, [])
    flush(ready, deliveries)
    assert deliveries.sessions("piped-") == Counter(f"piped-{n}" for n in range(510))


def test_a_known_customer_is_recommended_what_numpy_computes(ready: Cli) -> None:
    number, vector = first_customer(ready)
    with connected(ready) as connection:
        rows = connection.execute("SELECT id, embedding::text FROM item_emb").fetchall()
    vectors = np.array([json.loads(text) for _, text in rows])
    scores = vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vector)
    expected = dict(zip([id for id, _ in rows], scores, strict=True))
    found = ready.ok("recommend", "--customer", number, "--limit", "10", "--json").json
    assert [row["score"] for row in found] == pytest.approx(sorted(scores, reverse=True)[:10], abs=2e-5)
    assert [row["score"] for row in found] == pytest.approx([expected[row["id"]] for row in found], abs=2e-5)


def test_products_like_one_are_named_and_an_unknown_one_is_an_error(ready: Cli, item: str) -> None:
    found = ready.ok("recommend", "--like", item, "--limit", "3", "--json").json
    assert len(found) == 3
    assert item not in [row["id"] for row in found]
    answer = ready.run("recommend", "--like", "no-such-item")
    assert answer.code == 7
    assert "no item 'no-such-item'" in answer.err


def test_the_api_answers_signed_calls_of_those_who_have_the_policy_and_nobody_else(
    ready: Cli, item: str
) -> None:
    outputs, iam = outputs_of(ready), client(ready, "iam")
    url = f"{outputs['inference_url']}items_from_item?item_id={item}"
    assert call(url, None) == 403
    iam.create_user(UserName="caller")
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    assert call(url, credentials) == 403
    iam.attach_user_policy(UserName="caller", PolicyArn=outputs["inference_caller_policy_arn"])
    assert call(url, credentials) == 200
    iam.detach_user_policy(UserName="caller", PolicyArn=outputs["inference_caller_policy_arn"])


def events(name: str, count: int, item: str) -> list[bytes]:
    made = (
        {"session_id": f"{name}-{number}", "browse_history": [{"product_code": item}]}
        for number in range(count)
    )
    return [json.dumps(event, separators=(",", ":")).encode() for event in made]


def session(event: bytes) -> str:
    return str(json.loads(event)["session_id"])


def send(stack: Cli, folder: Path, sent: list[bytes]) -> None:
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(sent))
    report = stack.ok("stream", "send", "--file", path, "--json").json
    assert (report["acknowledged"], report["failed"], report["unsent"]) == (len(sent), 0, 0)


def put(stack: Cli, sent: list[bytes]) -> None:
    """Put records that `stream send` would refuse."""
    stream = outputs_of(stack)["stream_name"]
    records = [{"Data": data, "PartitionKey": "p"} for data in sent]
    assert client(stack, "kinesis").put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0


def flush(stack: Cli, deliveries: Deliveries) -> None:
    """Wait until everything that was sent before now has been delivered: one shard keeps its order."""
    (last,) = events(f"last-{time.monotonic_ns()}", 1, "x")
    put(stack, [last])
    deliveries.wait_for([last])


class hanging_database:
    """The vector database answers nobody; afterwards it is killed, and its supervisor starts it again."""

    def __init__(self, stack: Cli) -> None:
        found = stack.ok("local", "status", "--json").json
        pid = next(one["pid"] for one in found["databases"] if one["id"].endswith("vector-db"))
        self._server = psutil.Process(pid)

    def __enter__(self) -> None:
        self._stopped = [self._server, *self._server.children(recursive=True)]
        for process in self._stopped:
            process.suspend()

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        for process in self._stopped[1:]:
            if process.is_running():
                process.resume()


def kill_function(stack: Cli, name: str) -> None:
    """Kill the processes of a function, which has been called or is about to be."""
    server = psutil.Process(stack.ok("local", "status", "--json").json["pid"])
    function = outputs_of(stack)[f"{name}_function_name"]
    while not (found := [one for one in server.children() if is_called(one, function)]):
        time.sleep(0.05)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def is_called(process: psutil.Process, name: str) -> bool:
    with suppress(psutil.Error):  # One that has just ended has no command line.
        return any(name in word for word in process.cmdline())
    return False


class forbidden_function:
    """The delivery stream may not call its function."""

    def __init__(self, stack: Cli) -> None:
        firehose = client(stack, "firehose")
        name = outputs_of(stack)["delivery_stream_name"]
        found = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        role = found["Destinations"][0]["ExtendedS3DestinationDescription"]["RoleARN"]
        self._iam, self._role = client(stack, "iam"), role.rpartition("/")[2]

    def __enter__(self) -> None:
        names = self._iam.list_role_policies(RoleName=self._role)["PolicyNames"]
        self._policies = {
            name: self._iam.get_role_policy(RoleName=self._role, PolicyName=name)["PolicyDocument"]
            for name in names
        }
        deny_action(self._iam, self._role, "lambda:InvokeFunction")

    def __exit__(self, *_: object) -> None:
        for name, document in self._policies.items():
            self._iam.put_role_policy(
                RoleName=self._role, PolicyName=name, PolicyDocument=json.dumps(document)
            )


def connected(stack: Cli) -> psycopg.Connection[Any]:
    return psycopg.connect(stack.ok("local", "dsn").out.strip())


def first_customer(stack: Cli) -> tuple[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return a customer of the training data, and their published vector."""
    bucket = outputs_of(stack)["ml_artifacts_bucket"]
    body = client(stack, "s3").get_object(Bucket=bucket, Key="embeddings/user_embeddings.csv")["Body"]
    row = next(csv.DictReader(body.read().decode().splitlines()))
    return row["id"], np.array(json.loads(row["embedding"]))


def ask_athena(stack: Cli, outputs: dict[str, Any], query: str) -> list[list[str]]:
    athena = client(stack, "athena")
    execution = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Database": outputs["catalog_database"]},
        WorkGroup=outputs["athena_workgroup"],
    )["QueryExecutionId"]
    while True:
        state = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        if state["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.1)
    assert state["State"] == "SUCCEEDED", state
    rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    return [[cell["VarCharValue"] for cell in row["Data"]] for row in rows[1:]]


def call(url: str, credentials: Credentials | None) -> int:
    """Return the status of the answer to a request by the standard library's client."""
    signed = AWSRequest("GET", url)
    if credentials:
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(signed)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(signed.headers))) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
