"""The command group: the one place that turns errors into text and exit codes."""

import os
import sys
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException

from vectorops.cli.terminal import error_terminal
from vectorops.errors import AwsError, DatabaseError, VectorOpsError

INTERRUPTED = 130
GLOBAL_FLAGS = ("--json", "--debug", "--verbose", "-v", "-vv")
GLOBAL_OPTIONS = ("--env",)


class RootGroup(TyperGroup):
    """Takes the global options anywhere on the line, and shows a library error as what, why and what next."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the global options to the front, where the root command reads them."""
        tidy_help(self, ctx)
        return super().parse_args(ctx, globals_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn its failure into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt as exc:
            show_error(VectorOpsError("interrupted"))
            raise typer.Exit(INTERRUPTED) from exc
        except BrokenPipeError as exc:
            # Who reads the output, such as head, has enough. Python would flush into it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from exc
        except Exception as exc:
            if ctx.params.get("debug"):
                raise
            error = presentable(exc)
            show_error(error)
            raise typer.Exit(error.exit_code) from exc


def presentable(exc: Exception) -> VectorOpsError:
    """Return an error as what, why and what next, also one that nobody foresaw."""
    if isinstance(exc, VectorOpsError):
        return exc
    origin = type(exc).__module__.partition(".")[0]
    if origin in ("botocore", "boto3"):
        return AwsError("an AWS API call failed", why=str(exc), hint="run 'vectorops doctor'")
    if origin == "psycopg":
        return DatabaseError("PostgreSQL refused", why=str(exc).strip(), hint="run 'vectorops doctor'")
    hint = "run it again with --debug, and report the traceback"
    return VectorOpsError(f"unexpected {type(exc).__name__}", why=str(exc), hint=hint)


def globals_first(args: list[str]) -> list[str]:
    """Return `args` with the global options and their values moved to the front; `--` ends the search."""
    end = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    words = iter(args[:end])
    for word in words:
        if word in GLOBAL_FLAGS or word.startswith(tuple(f"{option}=" for option in GLOBAL_OPTIONS)):
            front.append(word)
        elif word in GLOBAL_OPTIONS:
            front += [word, *[value for value in [next(words, None)] if value is not None]]
        else:
            rest.append(word)
    return front + rest + args[end:]


def tidy_help(command: Any, context: Any) -> None:
    """Let the help of a command, and of those below it, fit a terminal of any width.

    Typer keeps the line breaks of a docstring after its first paragraph, and shows a flag with a type, as if
    it took a value.
    """
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for option in command.get_params(context):
        if getattr(option, "is_flag", False) or getattr(option, "count", False):
            option.metavar = ""
    for child in getattr(command, "commands", {}).values():
        tidy_help(child, child.context_class(child, parent=context, **child.context_settings))


def show_error(error: VectorOpsError) -> None:
    """Print an error to stderr: what happened and why, then the next step."""
    console = error_terminal()
    console.print(Text("error: ", style="bold red") + Text(str(error)))
    if error.hint:
        console.print(Text("hint: ", style="bold cyan") + Text(error.hint))
