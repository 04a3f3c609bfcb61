"""The Terraform files are laid out as a reader expects, and what documents them is there."""

import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from tests.unit.terraform.terraform_files import (
    TERRAFORM,
    Block,
    all_blocks,
    blocks,
    modules,
    tf_files,
    tftest_files,
)


def test_the_reader_finds_the_blocks_the_other_tests_are_about() -> None:
    assert {path.name for path in modules()} >= {"network", "storage", "vector-db"}
    assert {"environment", "region", "build_dir"} <= {block.labels[0] for block in all_blocks("variable")}
    database = next(b for b in all_blocks("resource", label="aws_db_instance") if b.labels[1] == "this")
    assert database.attributes["engine"] == '"postgres"'
    statement = next(b for b in all_blocks("data", label="aws_iam_policy_document")).blocks[0]
    assert statement.kind == "statement"
    assert "sid" in statement.attributes


def test_every_variable_has_a_type_and_a_description() -> None:
    incomplete = [
        str(b) for b in all_blocks("variable") if not {"type", "description"} <= b.attributes.keys()
    ]
    assert incomplete == []


def test_every_output_has_a_description() -> None:
    assert [str(b) for b in all_blocks("output") if "description" not in b.attributes] == []


def test_no_variable_accepts_anything() -> None:
    assert [str(b) for b in all_blocks("variable") if re.search(r"\bany\b", b.attributes["type"])] == []


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.name)
def test_every_module_has_the_same_files(module: Path) -> None:
    expected = ["README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"]
    assert [name for name in expected if not (module / name).is_file()] == []
    assert list(module.glob("tests/*.tftest.hcl")), "a module without tests"


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.name)
def test_every_module_leaves_provider_and_exact_version_to_the_root(module: Path) -> None:
    kinds = {block.kind for path in module.glob("*.tf") for block in blocks(path)}
    assert not kinds & {"provider", "backend"}
    assert 'version = ">= 5.100, < 7"' in (module / "versions.tf").read_text()


def test_the_root_pins_the_only_provider() -> None:
    sources = {
        s for path in tf_files() for s in re.findall(r'source\s+= "(hashicorp/[^"]+)"', path.read_text())
    }
    assert sources == {"hashicorp/aws"}
    assert 'version = "= 5.100.0"' in (TERRAFORM / "versions.tf").read_text()


def test_the_root_names_no_backend_because_each_environment_brings_its_own() -> None:
    roots = [b for path in TERRAFORM.glob("*.tf") for b in blocks(path) if b.kind == "terraform"]
    assert [str(b) for root in roots for b in root.blocks if b.kind in ("backend", "cloud")] == []


def test_no_file_depends_on_where_terraform_runs() -> None:
    assert [path for path in tf_files() if re.search(r"path\.(root|cwd)", path.read_text())] == []


def test_every_test_file_has_a_name_terraform_finds() -> None:
    written = {
        path
        for path in TERRAFORM.rglob("*.hcl")
        if ".terraform" not in path.parts and re.search(r'^run "', path.read_text(), re.MULTILINE)
    }
    assert written == set(tftest_files())


def test_every_run_of_a_test_file_can_fail() -> None:
    runs = [block for path in tftest_files() for block in blocks(path) if block.kind == "run"]
    idle = [
        str(run)
        for run in runs
        if "expect_failures" not in run.attributes and not any(b.kind == "assert" for b in run.blocks)
    ]
    assert runs
    assert idle == []


def test_every_environment_sets_only_what_the_root_knows() -> None:
    """Terraform drops a misspelt attribute of an object without a word."""
    known = {
        b.labels[0]: _settings(b.attributes["type"])
        for b in all_blocks("variable")
        if b.path.parent == TERRAFORM
    }
    for path in sorted((TERRAFORM / "environments").glob("*.tfvars")):
        for name, value in _assignments(path.read_text()).items():
            assert name in known, f"{path.name} sets {name}"
            unknown = _assignments(value).keys() - known[name]
            assert not unknown, f"{path.name}: {name} has no {sorted(unknown)}"


def test_every_setting_of_an_object_reaches_what_it_is_for() -> None:
    """Terraform does not mind an attribute that nothing reads."""
    unread = [
        f"{variable}: {name}"
        for variable in all_blocks("variable")
        if variable.attributes["type"].startswith("object(")
        for name in re.findall(r"^  (\w+) += ", variable.attributes["type"], re.MULTILINE)
        if not _is_read(variable, name)
    ]
    assert unread == []


def test_every_file_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on PATH; `make setup` installs it")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _is_read(variable: Block, attribute: str) -> bool:
    """Return whether something reads the attribute, or the variable as a whole, besides its validations."""
    reference = re.compile(rf"var\.{variable.labels[0]}(\.{attribute}\b|\)|$)", re.MULTILINE)
    files = (path for path in variable.path.parent.glob("*.tf") if path != variable.path)
    return any(reference.search(path.read_text()) for path in files)


def _settings(type_expression: str) -> set[str]:
    return set(re.findall(r"^ *(\w+) += ", type_expression, re.MULTILINE))


def _assignments(text: str) -> dict[str, str]:
    """Return `name = value` pairs; an object's value is the text between its braces."""
    pairs = re.findall(r"^(\w+) += (?:\{\n(.*?)^\}|.*$)", re.sub(r"#.*", "", text), re.MULTILINE | re.DOTALL)
    return {name: dedent(inside) for name, inside in pairs}
