import os
import subprocess
import sys
from pathlib import Path

from tests.integration.local.local_targets import operator_of
from vectorops.local import down, up
from vectorops.settings import Environment

# What the server does at a start, except that the saver is asked in the middle of it.
SAVE_BEFORE_RESTORE = """
from ministack import app as library
from ministack.services import secretsmanager
from vectorops.local.emulator import saving

saving.install()
saver = saving.StateSaver()
saver.save()
library._load_persisted_state()
saver.save()
"""


def test_a_save_before_everything_is_restored_does_not_empty_what_is_not(environment: Environment) -> None:
    up(environment)
    operator_of(environment).client("secretsmanager").create_secret(Name="login", SecretString="kept")
    down(environment)
    folder = environment.state_dir / "local"
    settings = {
        "STATE_DIR": str(folder / "emulator"),
        "S3_DATA_DIR": str(folder / "s3"),
        "PERSIST_STATE": "1",
    }
    save(settings)
    up(environment)
    found = operator_of(environment).client("secretsmanager").get_secret_value(SecretId="login")
    assert found["SecretString"] == "kept"


def save(settings: dict[str, str]) -> None:
    environ = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SAVE_BEFORE_RESTORE], env=environ, cwd=Path(__file__).parent, check=False
    )
    assert done.returncode == 0
