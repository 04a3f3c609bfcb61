import subprocess
import sys

HEAVY = {"boto3", "botocore", "ministack", "numpy", "psycopg", "pyarrow", "python_terraform"}


def test_the_help_loads_nothing_that_only_commands_need() -> None:
    program = (
        "import sys\nfrom vectorops.cli.main import app\napp(['--help'], standalone_mode=False)\n"
        f"print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
