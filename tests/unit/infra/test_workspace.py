import json
from dataclasses import replace
from pathlib import Path

from vectorops.infra.workspace import prepare_workspace
from vectorops.settings import Environment, Project

ENVIRONMENT = Environment("local", "local", "us-east-1", Path("local.tfvars"), Path())


def project(folder: Path) -> tuple[Project, Environment]:
    (folder / "terraform/modules/network").mkdir(parents=True)
    (folder / "terraform/main.tf").write_text("# root\n")
    return Project(folder, {}), replace(ENVIRONMENT, state_dir=folder / ".vectorops/local")


def test_the_working_folder_shows_the_root_module_and_leaves_it_alone(tmp_path: Path) -> None:
    workspace = prepare_workspace(*project(tmp_path))
    assert (workspace / "main.tf").read_text() == "# root\n"
    assert (workspace / "modules/network").is_dir()
    assert sorted(path.name for path in (tmp_path / "terraform").iterdir()) == ["main.tf", "modules"]


def test_a_file_that_left_the_root_module_leaves_the_working_folder(tmp_path: Path) -> None:
    sources = project(tmp_path)
    prepare_workspace(*sources)
    (tmp_path / "terraform/main.tf").rename(tmp_path / "terraform/other.tf")
    workspace = prepare_workspace(*sources)
    assert sorted(path.name for path in workspace.glob("*.tf")) == ["other.tf"]


def test_state_is_a_file_of_the_environment_unless_a_bucket_is_named(tmp_path: Path) -> None:
    sources, environment = project(tmp_path)
    backend = prepare_workspace(sources, environment) / "backend_override.tf.json"
    path = json.loads(backend.read_text())["terraform"]["backend"]["local"]["path"]
    assert Path(path).parent == environment.state_dir
    prepare_workspace(sources, replace(environment, backend={"bucket": "states"}))
    assert json.loads(backend.read_text()) == {"terraform": {"backend": {"s3": {}}}}


def test_the_variables_say_which_environment_it_is(tmp_path: Path) -> None:
    workspace = prepare_workspace(*project(tmp_path))
    variables = json.loads((workspace / "vectorops.auto.tfvars.json").read_text())
    assert variables["environment"] == "local"
    assert variables["local_target"] is True
