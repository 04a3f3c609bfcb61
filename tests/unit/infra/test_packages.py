"""Building the package of a function, with a dependency that is made here."""

import hashlib
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vectorops.errors import VectorOpsError
from vectorops.infra.function_package import MAX_ZIPPED_BYTES, Platform, build_function, imported_files
from vectorops.infra.packages import HANDLERS

CHECKOUT = Path(__file__).parents[3]
HERE = Platform.of_this_interpreter()
MODULES = {
    "vectorops/__init__.py": "",
    "vectorops/functions/__init__.py": "",
    "vectorops/functions/hello.py": "import needed\nfrom vectorops.words import GREETING\n"
    "def handler(event, context): return GREETING + needed.NAME + event['mark']\n",
    "vectorops/functions/data.json": "{}",
    "vectorops/words.py": "GREETING = 'hello '\n",
    "vectorops/cli/__init__.py": "import typer\n",
}
WHEEL = {
    "needed/__init__.py": "NAME = 'world'\n",
    "needed/__init__.pyi": "NAME: str\n",
    "needed/tests/test_it.py": "",
    "needed-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: needed\nVersion: 1.0\n",
    "needed-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "needed-1.0.dist-info/RECORD": "",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A lock file with one package, which is a file beside it."""
    wheel = tmp_path / "needed-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as writer:
        for name, text in WHEEL.items():
            writer.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "functions.txt"
    lock.write_text(f"needed @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    return lock


@pytest.fixture
def build(tmp_path: Path, requirements: Path) -> Callable[[str], Path]:
    """Function that builds a package with sources and a cache in a folder of the given name."""

    def run(name: str) -> Path:
        folder = tmp_path / name
        build_function(
            folder / "out" / "hello.zip",
            source_root=write(folder / "sources", MODULES),
            entry_modules=["vectorops.functions.hello"],
            requirements=requirements,
            platform=HERE,
            cache_dir=folder / "cache",
            extra_files={"authorities.pem": requirements},
            max_bytes=None,
        )
        return folder / "out" / "hello.zip"

    return run


def test_the_same_inputs_give_the_same_bytes_wherever_and_whenever_they_are_built(
    build: Callable[[str], Path],
) -> None:
    assert build("one").read_bytes() == build("another").read_bytes()


def test_a_package_holds_what_its_handlers_import_and_nothing_else(build: Callable[[str], Path]) -> None:
    entries = zipfile.ZipFile(build("one")).infolist()
    assert [entry.filename for entry in entries] == [
        "needed-1.0.dist-info/METADATA",
        "needed/__init__.py",
        "authorities.pem",
        "vectorops/__init__.py",
        "vectorops/functions/__init__.py",
        "vectorops/functions/data.json",
        "vectorops/functions/hello.py",
        "vectorops/words.py",
    ]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}


def test_a_package_runs_where_nothing_else_is_installed(build: Callable[[str], Path]) -> None:
    package = build("one")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from vectorops.functions.hello import handler; "
        "print(handler({'mark': '!'}, None))"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(package)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "hello world!\n"


def test_dependencies_are_installed_once_and_sources_every_time(
    build: Callable[[str], Path], tmp_path: Path
) -> None:
    before = build("one").read_bytes()
    (tmp_path / "needed-1.0-py3-none-any.whl").unlink()  # whoever looked for it now would fail
    assert build("one").read_bytes() == before
    (tmp_path / "one" / "sources" / "vectorops" / "functions" / "more.json").write_text("[]")
    assert "vectorops/functions/more.json" in zipfile.ZipFile(build("one")).namelist()


def test_a_dependency_with_another_hash_is_refused(build: Callable[[str], Path], tmp_path: Path) -> None:
    wheel = tmp_path / "needed-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "a") as writer:
        writer.writestr("needed/added.py", "")
    with pytest.raises(VectorOpsError, match="cannot install the dependencies"):
        build("one")
    assert not (tmp_path / "one" / "out" / "hello.zip").exists()


def test_the_functions_import_nothing_of_the_operators_rooms() -> None:
    rooms = {path.relative_to(CHECKOUT).parts[1] for path in imported_files(CHECKOUT, HANDLERS)}
    assert rooms == {"__init__.py", "aws.py", "database", "errors.py", "functions", "recommender"}


def test_no_training_goes_along_with_the_recommender() -> None:
    modules = {path.stem for path in imported_files(CHECKOUT, HANDLERS) if path.parent.name == "recommender"}
    assert not modules & {"artifacts", "training", "towers", "onnx_export", "evaluation", "training_table"}


def test_the_closure_is_that_of_the_linked_sources_too(tmp_path: Path) -> None:
    (tmp_path / "vectorops").symlink_to(CHECKOUT / "vectorops")
    linked = [path.relative_to(tmp_path) for path in imported_files(tmp_path, HANDLERS)]
    assert linked == [path.relative_to(CHECKOUT) for path in imported_files(CHECKOUT, HANDLERS)]


def test_a_package_that_lambda_would_not_take_is_refused(
    build: Callable[[str], Path], requirements: Path, tmp_path: Path
) -> None:
    build("one")
    (tmp_path / "large").write_bytes(secrets.token_bytes(MAX_ZIPPED_BYTES))
    with pytest.raises(VectorOpsError, match="Lambda takes packages of up to"):
        build_function(
            tmp_path / "large.zip",
            source_root=tmp_path / "one" / "sources",
            entry_modules=["vectorops.functions.hello"],
            requirements=requirements,
            platform=HERE,
            cache_dir=tmp_path / "one" / "cache",
            extra_files={"large": tmp_path / "large"},
            max_bytes=MAX_ZIPPED_BYTES,
        )
