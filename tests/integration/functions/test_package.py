"""The packages as `vectorops deploy` builds them, and the local one as Lambda runs it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.functions.deployment import Deployment, Invocation
from tests.recommender_samples import activity, firehose_event, product_code
from vectorops.database.authorities import BUNDLE_NAME
from vectorops.functions.runtime import open_store
from vectorops.functions.transform import Transform
from vectorops.infra.function_package import MAX_ZIPPED_BYTES
from vectorops.infra.packages import build_functions
from vectorops.settings import Environment, Project

CHECKOUT = Path(__file__).parents[3]
AARCH64 = 183  # e_machine, ELF header
# As Lambda does it: import the handler from the unpacked package, then call it once per line of input.
RUNTIME = """
import importlib, json, sys
out, sys.stdout = sys.stdout, sys.stderr
sys.path.insert(0, sys.argv[1])
handler = importlib.import_module(sys.argv[2]).handler
context = type("Context", (), json.loads(sys.argv[3]))()
context.get_remaining_time_in_millis = lambda: 30_000
for line in sys.stdin:
    out.write(json.dumps(handler(json.loads(line), context)) + "\\n")
found = [sys.modules[name].__file__ for name in ("boto3", "numpy", "onnxruntime", "psycopg")]
assert all(name.startswith(sys.argv[1]) for name in found), found
"""


def build(folder: Path, target: Any) -> Path:
    """Build the package of the functions in a project folder of its own."""
    for name in ("vectorops", "requirements"):
        (folder / name).symlink_to(CHECKOUT / name)
    (folder / ".tools").mkdir()
    (folder / ".tools" / BUNDLE_NAME).write_text("authorities")
    environment = Environment("test", target, "us-east-1", folder / "unused.tfvars", folder / "state")
    functions = build_functions(Project(folder, {"test": environment}), environment)
    assert functions.size_bytes == functions.path.stat().st_size
    return functions.path


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for the local target."""
    return build(tmp_path_factory.mktemp("local"), "local")


@pytest.fixture(scope="session")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Lambda unpacks it into."""
    folder = tmp_path_factory.mktemp("task")
    zipfile.ZipFile(package).extractall(folder)
    return folder


def run(unpacked: Path, module: str, deployment: Deployment, *events: object) -> list[Any]:
    """Run a handler under an interpreter that has nothing but the package and Python itself."""
    context = {key: value for key, value in vars(Invocation()).items() if key != "seconds"}
    interpreter = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [interpreter, "-I", "-S", "-c", RUNTIME, str(unpacked), module, json.dumps(context)],
        input="".join(json.dumps(event) + "\n" for event in events),
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "test",
            "PYTHONDONTWRITEBYTECODE": "1",
            **deployment.environ(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_local_package_answers_with_nothing_else_installed(
    unpacked: Path, deployment: Deployment
) -> None:
    configuration = deployment.configuration()
    store = open_store(configuration, deployment.aws, is_patient=True)
    event = firehose_event(*(activity(n, (product_code(n), True)) for n in range(9)), b"poison")
    expected = Transform(configuration, store.recommender)(event, Invocation())
    answers = run(unpacked, "vectorops.functions.transform", deployment, event, event)
    assert answers == [expected, expected]


def test_the_same_package_serves_the_inference_api(unpacked: Path, deployment: Deployment) -> None:
    events = [
        {
            "rawPath": path,
            "rawQueryString": query,
            "requestContext": {"http": {"method": "GET"}, "requestId": "r"},
        }
        for path, query in (("/items_from_item", f"item_id={product_code(1)}&limit=2"), ("/openapi.json", ""))
    ]
    answers = run(unpacked, "vectorops.functions.inference", deployment, *events)
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert len(json.loads(answers[0]["body"])) == 2


def test_a_missing_variable_is_named_before_the_first_invocation(
    unpacked: Path, deployment: Deployment
) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import vectorops.functions.transform"
    environ = deployment.environ(AWS_LAMBDA_FUNCTION_NAME="test")
    del environ["DATABASE_HOST"]
    command = [sys.executable, "-I", "-S", "-c", program, str(unpacked)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "UsageError: environment variable DATABASE_HOST is not set" in done.stderr


def test_the_package_is_the_same_wherever_it_is_built(package: Path, tmp_path: Path) -> None:
    assert build(tmp_path, "local").read_bytes() == package.read_bytes()


def test_the_package_for_aws_holds_its_processors_libraries_and_the_authorities_of_rds(
    tmp_path: Path,
) -> None:
    package = build(tmp_path, "aws")
    archive = zipfile.ZipFile(package)
    names = archive.namelist()
    libraries = [name for name in names if ".so" in Path(name).suffixes]
    assert libraries
    for name in libraries:
        with archive.open(name) as library:
            assert int.from_bytes(library.read(20)[18:], "little") == AARCH64, name
    assert "onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-aarch64-linux-gnu.so" in names
    assert archive.read(BUNDLE_NAME) == b"authorities"
    assert package.stat().st_size < MAX_ZIPPED_BYTES


def test_nothing_that_no_function_needs_is_in_the_package(package: Path) -> None:
    names = zipfile.ZipFile(package).namelist()
    assert len(names) == len(set(names))
    assert not [name for name in names if name.endswith((".pyc", ".pyi", "RECORD"))]
    assert not [name for name in names if {"tests", "__pycache__"} & set(name.split("/"))]
    services = {
        name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2
    }
    assert services == {"s3", "secretsmanager"}
    assert not [
        name for name in names if name.startswith(("vectorops/cli", "vectorops/local", "vectorops/infra"))
    ]
