"""The errors vectorops raises on purpose. Each says what happened, why, and what to do next."""


class VectorOpsError(Exception):
    """Base of every error that the CLI turns into a message and an exit code.

    Args:
        what: What happened, quoting the value that was wrong.
        why: Why it happened, as far as is known.
        hint: The next step, ideally a command.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(f"{what}: {why}" if why else what)
        self.what = what
        self.why = why
        self.hint = hint


class UsageError(VectorOpsError):
    """The command, an option or the configuration is wrong."""

    exit_code = 2


class DatabaseError(VectorOpsError):
    """PostgreSQL refused, or cannot be reached."""

    exit_code = 3


class AwsError(VectorOpsError):
    """An AWS API call failed, on AWS or on the local target."""

    exit_code = 4


class TerraformError(VectorOpsError):
    """Terraform failed, or is not there."""

    exit_code = 5


class RowsRejectedError(VectorOpsError):
    """The load finished, and some rows are in the rejects file instead of the table."""

    exit_code = 6


class InputDataError(VectorOpsError):
    """The given data is wrong; nothing of it was taken over."""

    exit_code = 7


class NoRowsError(InputDataError):
    """A file is whole and has no rows."""


class JobFailedError(VectorOpsError):
    """A job ended in another state than success."""

    exit_code = 8


class LocalTargetError(VectorOpsError):
    """The local target (the laptop's AWS and PostgreSQL) is not running or not usable."""

    exit_code = 9
