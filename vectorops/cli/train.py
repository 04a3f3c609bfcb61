"""`train`: the reference model."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from vectorops.cli.state import AppState, state_of

if TYPE_CHECKING:
    from vectorops.recommender.artifacts import Publication
    from vectorops.recommender.report import TrainingReport


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("train")(train)


def train(
    context: typer.Context,
    model_version: Annotated[
        str | None,
        typer.Option(help="Name of the version; it never changes afterwards.", show_default="the time"),
    ] = None,
    dimension: Annotated[int, typer.Option(min=1, help="Length of the vectors.")] = 32,
    seed: Annotated[int, typer.Option(help="Of the split and of the mathematics.")] = 0,
) -> None:
    """Train the reference two-tower model on the ETL job's output, and publish it.

    Writes the embeddings as CSV, the towers as ONNX, a report that compares the model with two baselines on
    held-out ratings, and the manifest that names the version in use.
    """
    state = state_of(context)
    report, published = train_model(state, model_version=model_version, dimension=dimension, seed=seed)
    result = {"report": report, "publication": published}
    state.emit(result, lambda console: _show(console, report, published))


def train_model(
    state: AppState, *, model_version: str | None = None, dimension: int = 32, seed: int = 0
) -> tuple["TrainingReport", "Publication"]:
    """Read the training table, train, publish; return the report and what was published."""
    from vectorops.recommender.artifacts import write_artifacts
    from vectorops.recommender.training import train as fit
    from vectorops.recommender.training_table import read_training_table

    stack, s3 = state.stack, state.aws.client("s3")
    state.note("reading the training table")
    table = read_training_table(state.aws.client("glue"), s3, stack.catalog_database, stack.catalog_table)
    version = model_version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    result = fit(table, dimension=dimension, model_version=version, seed=seed, on_step=state.note)
    published = write_artifacts(
        result, s3, stack.ml_artifacts_bucket, on_file=lambda key: state.note(f"  {key}")
    )
    return result.report, published


def _show(console: Console, report: "TrainingReport", published: "Publication") -> None:
    style = "green" if report.beats_baselines else "yellow"
    verdict, *figures = report.summary()
    console.print(f"[{style}]{escape(verdict)}[/]")
    for sentence in figures:
        console.print(f"  {escape(sentence)}")
    console.print(f"Version {published.manifest.model_version} is in use.")
    console.print(
        f"next: vectorops load-embeddings {published.item_embeddings} --table item_emb", soft_wrap=True
    )
    console.print(
        f"      vectorops load-embeddings {published.user_embeddings} --table user_emb", soft_wrap=True
    )
