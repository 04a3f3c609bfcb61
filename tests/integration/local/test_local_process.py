import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.local.local_databases import address_of, create_instance, describe
from tests.integration.local.local_targets import has_ended, kill, operator_of, wait_until_saved
from vectorops.database.connection import connect
from vectorops.errors import LocalTargetError
from vectorops.local import LocalStatus, down, endpoint, reset, status, up
from vectorops.local.ports import LOOPBACK
from vectorops.settings import Environment

MakeEnvironment = Callable[[str], Environment]


def until(environment: Environment, condition: Callable[[LocalStatus], bool]) -> LocalStatus:
    while not condition(found := status(environment)):
        time.sleep(0.05)
    return found


def folder_of(environment: Environment) -> Path:
    return environment.state_dir / "local"


def test_an_environment_never_started_is_stopped(environment: Environment) -> None:
    assert status(environment) == LocalStatus("stopped")
    assert down(environment) == LocalStatus("stopped")
    with pytest.raises(LocalTargetError, match="is not running") as caught:
        endpoint(environment)
    assert caught.value.hint == "run 'vectorops --env local local up'"
    assert not environment.state_dir.exists()


def test_up_down_up_keeps_buckets_objects_and_the_port(environment: Environment) -> None:
    first = up(environment)
    s3 = operator_of(environment).client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="folder/object", Body=b"content")
    assert down(environment).state == "stopped"
    assert has_ended(first.pid)
    second = up(environment)
    assert (second.url, second.state) == (first.url, "running")
    body = operator_of(environment).client("s3").get_object(Bucket="kept", Key="folder/object")["Body"]
    assert body.read() == b"content"


def test_up_when_it_runs_changes_nothing(environment: Environment) -> None:
    first = up(environment)
    steps: list[str] = []
    assert up(environment, on_step=steps.append).pid == first.pid
    assert steps == []


def test_the_apis_listen_on_loopback_only(environment: Environment) -> None:
    found = up(environment)
    listening = [c.laddr.ip for c in psutil.Process(found.pid).net_connections() if c.status == "LISTEN"]
    assert set(listening) == {LOOPBACK}


def test_two_ups_at_once_start_one_process(environment: Environment) -> None:
    program = (
        "import sys; from pathlib import Path; from local_targets import environment_in;"
        "from vectorops.local import up; print(up(environment_in(Path(sys.argv[1]))).pid)"
    )
    project = environment.state_dir.parents[1]
    command = [sys.executable, "-c", program, str(project)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) for _ in range(2)]
    pids = {process.communicate()[0].strip() for process in started}
    assert pids == {str(status(environment).pid).encode()}


def test_two_projects_run_side_by_side(make_environment: MakeEnvironment) -> None:
    one, two = make_environment("one"), make_environment("two")
    assert up(one).url != up(two).url
    operator_of(one).client("s3").create_bucket(Bucket="only-in-one")
    assert operator_of(two).client("s3").list_buckets()["Buckets"] == []


def test_the_callers_credentials_and_proxies_do_not_reach_the_server(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "PGPASSWORD", "HTTPS_PROXY", "MINISTACK_REGION"):
        monkeypatch.setenv(name, "the-callers-own")
    found = up(environment)
    assert "the-callers-own" not in psutil.Process(found.pid).environ().values()


def test_the_state_folder_is_closed_to_other_users(environment: Environment) -> None:
    up(environment)
    assert folder_of(environment).stat().st_mode & 0o777 == 0o700


def test_a_killed_server_is_reported_and_loses_nothing_when_started_again(environment: Environment) -> None:
    first = up(environment)
    instance = create_instance(operator_of(environment), "vectors")
    with connect(address_of(operator_of(environment), instance)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    wait_until_saved(environment, "rds", '"available"')
    wait_until_saved(environment, "secretsmanager", instance["MasterUserSecret"]["SecretArn"])
    kill(first.pid)
    crashed = status(environment)
    assert (crashed.state, crashed.last_error) == ("crashed", f"process {first.pid} ended without stopping")

    steps: list[str] = []
    second = up(environment, on_step=steps.append)
    assert steps[0] == "the last process ended without stopping; continuing from what it had saved"
    assert second.url == first.url
    restored = describe(operator_of(environment), "vectors")
    assert restored["Endpoint"] == instance["Endpoint"]
    with connect(address_of(operator_of(environment), restored)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_killed_database_is_started_again_and_counted(environment: Environment) -> None:
    up(environment)
    instance = create_instance(operator_of(environment), "vectors")
    kill(status(environment).databases[0].pid)
    found = until(environment, lambda found: found.databases[0].restarts > 0)
    assert found.databases[0].restarts == 1
    until(environment, lambda found: found.databases[0].state == "available")
    connect(address_of(operator_of(environment), instance)).close()
    log = (folder_of(environment) / "server.log").read_text()
    assert "database vectors ended by itself; starting it again" in log


def test_a_pid_that_belongs_to_another_program_by_now_is_not_taken_for_the_server(
    environment: Environment,
) -> None:
    kill(up(environment).pid)
    path = folder_of(environment) / "server.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": os.getpid()}))
    assert status(environment).state == "crashed"
    assert down(environment).state == "crashed"
    assert up(environment).pid != os.getpid()


def test_another_port_is_found_when_the_last_one_is_taken(environment: Environment) -> None:
    first = up(environment)
    down(environment)
    port = int((first.url or "").rsplit(":", 1)[1])
    steps: list[str] = []
    with socket.create_server((LOOPBACK, port)):
        second = up(environment, on_step=steps.append)
    assert second.url != first.url
    assert steps[-1].startswith(f"port {port} is taken by another program; the AWS APIs are on port")


def test_a_database_whose_port_is_taken_is_named_and_comes_back_when_it_is_free(
    environment: Environment,
) -> None:
    up(environment)
    instance = create_instance(operator_of(environment), "vectors")
    port = instance["Endpoint"]["Port"]
    down(environment)
    with socket.create_server((LOOPBACK, port)):
        with pytest.raises(LocalTargetError, match=f"'vectors' is not running: port {port}"):
            up(environment)
        assert status(environment).databases[0].state == "failed"
    until(environment, lambda found: found.databases[0].state == "available")
    restored = describe(operator_of(environment), "vectors")
    assert restored["DBInstanceStatus"] == "available"
    assert restored["Endpoint"]["Port"] == port


def test_state_of_another_version_is_refused(environment: Environment) -> None:
    up(environment)
    down(environment)
    (folder_of(environment) / "format.json").write_text('{"format": 0, "emulator": "0.1"}')
    with pytest.raises(LocalTargetError, match=r"made by another version: it says .*0\.1") as caught:
        up(environment)
    assert "vectorops local reset" in caught.value.hint
    assert status(environment).state == "crashed"


def test_a_damaged_state_file_is_refused_instead_of_being_skipped(environment: Environment) -> None:
    up(environment)
    operator_of(environment).client("s3").create_bucket(Bucket="kept")
    down(environment)
    (folder_of(environment) / "emulator" / "s3.json").write_text('{"buckets": ')
    with pytest.raises(LocalTargetError, match="cannot restore the state of AWS service 's3'"):
        up(environment)


def test_reset_deletes_everything_and_the_next_start_is_empty(environment: Environment) -> None:
    pid = up(environment).pid
    operator_of(environment).client("s3").create_bucket(Bucket="gone")
    (environment.state_dir / "terraform.tfstate").write_text("{}")
    outside = environment.state_dir.parent / "outside"
    outside.mkdir()
    (environment.state_dir / "link").symlink_to(outside)
    reset(environment)
    assert has_ended(pid)
    assert [path.name for path in environment.state_dir.iterdir()] == ["local.lock"]
    assert outside.is_dir()
    up(environment)
    assert operator_of(environment).client("s3").list_buckets()["Buckets"] == []


def test_reset_ends_a_server_whose_record_is_damaged(environment: Environment) -> None:
    pid = up(environment).pid
    (folder_of(environment) / "server.json").write_text("{")
    with pytest.raises(LocalTargetError, match="cannot read") as caught:
        status(environment)
    assert caught.value.hint == "run 'vectorops local reset'"
    reset(environment)
    assert has_ended(pid)


def test_a_server_whose_folder_was_deleted_ends(environment: Environment) -> None:
    pid = up(environment).pid
    (folder_of(environment) / "server.json").unlink()
    while not has_ended(pid):
        time.sleep(0.1)


def test_an_environment_on_aws_has_no_local_target(environment: Environment, tmp_path: Path) -> None:
    on_aws = Environment("prod", "aws", "us-east-1", tmp_path / "x", tmp_path / ".vectorops" / "prod")
    for function in (up, down, status, reset):
        with pytest.raises(LocalTargetError, match="'prod' runs on AWS"):
            function(on_aws)


def test_the_server_has_a_session_of_its_own_and_stops_on_sigterm(environment: Environment) -> None:
    pid = up(environment).pid
    assert pid
    assert os.getsid(pid) == pid, "with the caller's session it would end with the caller's terminal"
    os.kill(pid, signal.SIGTERM)
    assert until(environment, lambda found: found.pid is None).state == "stopped"
