"""The `vectorops` command: its global options, and the commands in the order one meets them."""

import logging
import sys
from typing import Annotated

import typer

from vectorops import __version__
from vectorops.cli import (
    bench,
    demo,
    deploy,
    doctor,
    embeddings,
    export,
    glue,
    index,
    local,
    recommend,
    schema,
    search,
    source,
    status,
    stream,
    train,
)
from vectorops.cli.group import RootGroup
from vectorops.cli.state import AppState

app = typer.Typer(
    name="vectorops",
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vectorops {__version__}")
        raise typer.Exit


@app.callback(epilog="These options may stand anywhere on the line. Exit codes: docs/cli.md.")
def root(
    context: typer.Context,
    env: Annotated[
        str | None,
        typer.Option(
            envvar="VECTOROPS_ENV", help="Environment, as vectorops.toml names it.", show_default="local"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result to stdout as JSON.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Log more; -vv logs all.")
    ] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run a vector platform on AWS, or the same one on this machine.

    Start with [bold]vectorops demo[/bold], or with [bold]vectorops deploy[/bold] for the environment in use.
    """
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # At its most talkative botocore logs whole requests and answers, tokens and passwords among them.
    logging.getLogger("botocore").setLevel(max(level, logging.INFO))
    if not isinstance(context.obj, AppState):
        context.obj = AppState(env, as_json=as_json, debug=debug)


deploy.register(app)
status.register(app)
schema.register(app)
embeddings.register(app)
export.register(app)
search.register(app)
index.register(app)
bench.register(app)
source.register(app)
glue.register(app)
train.register(app)
stream.register(app)
recommend.register(app)
local.register(app)
demo.register(app)
doctor.register(app)
