"""The process in which a Glue script runs on local Spark; `spark_command` composes its call."""

import os
import re
import runpy
import secrets
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import boto3
from botocore.config import Config

from vectorops.local.awsglue_shim.command import ERROR_FILE
from vectorops.local.awsglue_shim.s3_files import S3Files
from vectorops.local.awsglue_shim.webhdfs import serve


def main() -> None:
    """Run the script named first on the command line, with the other words as its arguments."""
    script, *arguments = sys.argv[1:]
    work_dir = Path(os.environ["TMPDIR"])
    spool = work_dir / "uncommitted"
    spool.mkdir(exist_ok=True)
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, max_pool_connections=32))
    token = secrets.token_urlsafe(16)
    with serve(S3Files(s3, spool), token) as port:
        _mount(_buckets(arguments), f"webhdfs://127.0.0.1:{port}/{token}")
        sys.argv = [script, *arguments]
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException as exc:
            if not isinstance(exc, SystemExit) or exc.code:
                message = f"{type(exc).__name__}: {exc}".strip()
                (work_dir / ERROR_FILE).write_text(message, encoding="utf-8")
            if isinstance(exc, SystemExit):
                raise
            traceback.print_exception(exc.with_traceback(_from_script(exc.__traceback__, script)))
            sys.exit(1)


def _from_script(frames: TracebackType | None, script: str) -> TracebackType | None:
    """Return the part of a traceback that begins in the script: what led there is of no use to its author."""
    while frames and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    return frames


def _buckets(arguments: Iterable[str]) -> set[str]:
    return {found[1] for argument in arguments if (found := re.match(r"(?:--\w+=)?s3://([^/]+)", argument))}


def _mount(buckets: set[str], server: str) -> None:
    """Tell Hadoop that the `s3://` paths of these buckets are at `server`.

    In a file, not in the arguments of the Java process, since the URL lets everybody in who knows it.
    """
    lines = {
        "fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "fs.viewfs.overload.scheme.target.webhdfs.impl": "org.apache.hadoop.hdfs.web.WebHdfsFileSystem",
    }
    for bucket in buckets:
        lines[f"fs.viewfs.mounttable.{bucket}.linkFallback"] = f"{server}/{bucket}"
    settings = Path(os.environ["SPARK_CONF_DIR"]) / "spark-defaults.conf"
    settings.chmod(0o600)
    with settings.open("a", encoding="utf-8") as file:
        file.writelines(f"spark.hadoop.{key} {value}\n" for key, value in lines.items())


if __name__ == "__main__":
    main()
