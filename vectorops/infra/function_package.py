"""Building the package of a function or a job: what it imports, and its locked dependencies."""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from modulefinder import ModuleFinder
from pathlib import Path

from vectorops.errors import VectorOpsError

# Lambda quotas: a package that is uploaded as it is.
MAX_ZIPPED_BYTES = 50 * 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a zip file knows

# What no function needs at run time.
_FOLDERS = {"__pycache__", "bin", "f2py", "include", "test", "tests"}
_SUFFIXES = {".a", ".c", ".h", ".md", ".pxd", ".pyc", ".pyi", ".pyx", ".typed"}
_TREES = (
    "boto3/data/",
    "boto3/examples/",
    "onnxruntime/backend/",
    "onnxruntime/datasets/",
    "onnxruntime/quantization/",
    "onnxruntime/tools/",
    "onnxruntime/transformers/",
    # The runtime once more, for programs in C; Python's own module does not link to it.
    "onnxruntime/capi/libonnxruntime.so",
    # Servers and other file systems; files are read by our own code.
    "pyarrow/_flight",
    "pyarrow/_s3fs",
    "pyarrow/libarrow_flight",
    "pyarrow/libarrow_python_flight",
    "pyarrow/libarrow_s3",
    "pyarrow/src/",
)
_AWS_SERVICES = {"s3", "secretsmanager"}


@dataclass(frozen=True)
class Platform:
    """Where a package runs.

    Attributes:
        python_version: Such as "3.13".
        name: As uv calls the platform, or None for the interpreter that is running now.
    """

    python_version: str
    name: str | None = None

    @classmethod
    def of_this_interpreter(cls) -> "Platform":
        """Return the platform of the interpreter that is running now."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}")

    def describe(self) -> str:
        """Return what two platforms that need the same files have in common."""
        return f"{self.python_version} {self.name or sysconfig.get_platform()}"


# What Terraform declares on AWS: runtime python3.13, arm64. Its Amazon Linux 2023 has glibc 2.34.
LAMBDA = Platform("3.13", "aarch64-manylinux_2_28")
# Glue 5.1 runs Python 3.11 on x86-64, on Amazon Linux 2023 too.
GLUE = Platform("3.11", "x86_64-manylinux_2_28")


def build_function(
    target: Path,
    *,
    source_root: Path,
    entry_modules: Sequence[str],
    requirements: Path,
    platform: Platform,
    cache_dir: Path,
    extra_files: Mapping[str, Path],
    max_bytes: int | None,
) -> None:
    """Write the package of a function or a job; the same inputs give the same bytes.

    Args:
        target: The zip file to write.
        source_root: Folder that holds the package `vectorops`.
        entry_modules: Modules with handlers. What they import of vectorops goes into the package with them.
        requirements: Lock file of their dependencies, with hashes.
        platform: Where the package runs.
        cache_dir: Keeps the dependencies until the lock file or the platform changes.
        extra_files: Further files, by their name in the package.
        max_bytes: How large it may be, or None where there is no limit.

    Raises:
        VectorOpsError: The dependencies cannot be installed, or the package is too large.
    """
    dependencies = _dependencies(requirements, platform, cache_dir)
    files = {str(path.relative_to(source_root)): path for path in imported_files(source_root, entry_modules)}
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        building = Path(folder) / target.name
        shutil.copyfile(dependencies, building)
        _add(building, files | dict(extra_files))
        building.replace(target)
    if max_bytes is not None:
        _check_size(target, max_bytes)


def imported_files(source_root: Path, entry_modules: Iterable[str]) -> list[Path]:
    """Return the files of vectorops that `entry_modules` import, directly or not, and the JSON beside them.

    They are found without running anything: the sources are only compiled.
    """
    finder = ModuleFinder(path=[str(source_root)])
    for name in entry_modules:
        finder.import_hook(name)
    files = (getattr(module, "__file__", None) for module in finder.modules.values())
    modules = {Path(file) for file in files if file and Path(file).is_relative_to(source_root / "vectorops")}
    data = {path for module in modules for path in module.parent.glob("*.json")}
    return sorted(modules | data)


def _dependencies(requirements: Path, platform: Platform, cache_dir: Path) -> Path:
    """Return a zip file of the dependencies, which is built when the cache does not hold it."""
    inputs = (requirements.read_bytes(), Path(__file__).read_bytes(), platform.describe().encode())
    key = hashlib.sha256(b"\0".join(hashlib.sha256(one).digest() for one in inputs)).hexdigest()[:16]
    cached = cache_dir / f"{requirements.stem}-{key}.zip"
    if cached.is_file():
        return cached
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir) as folder:
        site, building = Path(folder) / "site", Path(folder) / "site.zip"
        _install(requirements, platform, site)
        paths = (path for path in site.rglob("*") if path.is_file())
        names = {path.relative_to(site).as_posix(): path for path in paths}
        needed = {name: path for name, path in names.items() if _is_needed(name)}
        # On this machine a package is not carried far: quickly packed is better than small.
        _add(building, needed, level=1 if platform.name is None else None)
        for old in cache_dir.glob(f"{requirements.stem}-*.zip"):
            old.unlink()
        building.replace(cached)
    return cached


def _install(requirements: Path, platform: Platform, site: Path) -> None:
    command = [_uv(), "pip", "install", "--quiet", "--target", str(site), "--python", sys.executable]
    command += [
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--requirements",
        str(requirements),
    ]
    if platform.name:
        command += ["--python-version", platform.python_version, "--python-platform", platform.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VectorOpsError(
            f"cannot install the dependencies of {requirements.name} for {platform.describe()}",
            why=done.stderr.strip()[-1_000:],
            hint="they come from the package index that uv is configured with; see 'uv pip install --help'",
        )


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise VectorOpsError("uv is not installed, so functions cannot be built", hint="run 'make setup'")
    return found


def _is_needed(name: str) -> bool:
    path = Path(name)
    if name.startswith("."):  # uv's own
        return False
    if path.parts[0].endswith(".dist-info"):
        return path.name == "METADATA"  # some packages ask for their own version
    if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3:
        return path.parts[2] in _AWS_SERVICES
    is_left_out = _FOLDERS & set(path.parts[:-1]) or path.suffix in _SUFFIXES or name.startswith(_TREES)
    return not is_left_out


def _add(archive: Path, files: Mapping[str, Path], *, level: int | None = None) -> None:
    """Add `files` to `archive` in the order of their names, without what differs from machine to machine."""
    with zipfile.ZipFile(archive, "a") as writer:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            writer.writestr(entry, files[name].read_bytes(), compresslevel=level)


def _check_size(package: Path, max_bytes: int) -> None:
    size_bytes = package.stat().st_size
    if size_bytes > max_bytes:
        raise VectorOpsError(
            f"{package.name} has {size_bytes / 1e6:.0f} MB",
            why=f"Lambda takes packages of up to {max_bytes / 1e6:.0f} MB",
            hint="a dependency has grown: see what can be left out in vectorops/infra/function_package.py",
        )
