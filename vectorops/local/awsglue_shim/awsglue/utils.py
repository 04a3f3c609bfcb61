"""Job arguments."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

# Glue passes these by itself and hands them out unasked. A script that asks for one fails.
_RESERVED = ("JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION", "TempDir")


class GlueArgumentError(Exception):
    """A job argument is missing or has no value."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise GlueArgumentError(message)


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    """Return the values of the arguments named in `options`, and of those that Glue passes by itself.

    Names must be given in full, as in Glue 6.0; earlier versions take a beginning for the whole name.

    Args:
        args: `sys.argv`.
        options: Names without dashes; each must be there.

    Raises:
        GlueArgumentError: One is missing.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in _RESERVED:
        if name in options and name != "TempDir":
            raise GlueArgumentError(f"{name} is reserved; it is in the result without being asked for")
        parser.add_argument(f"--{name}")
    for name in options:
        if name != "TempDir":
            parser.add_argument(f"--{name}", required=True)
    return vars(parser.parse_known_args(list(args[1:]))[0])
