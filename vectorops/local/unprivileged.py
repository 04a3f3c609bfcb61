"""How to run a program that refuses to run as root, such as PostgreSQL or MariaDB, when we are root."""

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vectorops.errors import LocalTargetError

_ACCOUNT = "nobody"
_USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True)
class Launcher:
    """What to put before a command so that it does not run as root.

    Attributes:
        prefix: Start of the argument list; empty when we are not root.
        owner: User and group id that must own the program's files, or None when ours do.
    """

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None

    def hand_over(self, path: Path) -> None:
        """Make the program the owner of `path`, when it runs as another account."""
        if self.owner:
            os.chown(path, *self.owner)


def choose_launcher(program: Path, folder: Path) -> Launcher:
    """Return how to run `program` on data in `folder`.

    As root on Linux a user namespace is preferred: the program believes it is another user, while its
    files stay ours and no folder has to be opened to others. Where namespaces are forbidden, the
    account `nobody` serves if it can reach the program and the folder.

    Raises:
        LocalTargetError: We are root, and neither way works.
    """
    if os.geteuid() != 0:
        return Launcher()
    if sys.platform == "linux" and _user_namespaces_work():
        return Launcher(_USER_NAMESPACE)
    launcher = other_account()
    if launcher and _can_reach(launcher, program) and _can_reach(launcher, folder):
        return launcher
    raise LocalTargetError(
        f"cannot run {program.name} as root",
        why=f"it refuses root, user namespaces are not permitted here, and account '{_ACCOUNT}' cannot "
        f"reach both {program} and {folder}",
        hint="run vectorops as a normal user, or clone into a folder that others can enter (chmod o+x)",
    )


def other_account() -> Launcher | None:
    """Return how to run a program as `nobody`, or None where that account or setpriv is missing."""
    try:
        account = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        return None
    if not shutil.which("setpriv"):
        return None
    ids = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}")
    return Launcher(("setpriv", *ids, "--clear-groups", "--"), (account.pw_uid, account.pw_gid))


@cache
def _user_namespaces_work() -> bool:
    return shutil.which("unshare") is not None and _succeeds([*_USER_NAMESPACE, "true"])


def _can_reach(launcher: Launcher, path: Path) -> bool:
    return _succeeds([*launcher.prefix, "test", "-x", str(path)])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
