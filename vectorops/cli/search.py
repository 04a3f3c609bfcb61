"""`search`: the nearest neighbours of a vector."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from vectorops.cli.state import state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    from vectorops.database.search import SearchResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("search")(search)


def search(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="Table to search, such as item_emb.")],
    id: Annotated[
        str | None, typer.Option(help="Search for the neighbours of this row, itself left out.")
    ] = None,
    of: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Table that --id is in, if another: user_emb, say.")
    ] = None,
    vector: Annotated[
        str | None,
        typer.Option(help="Search for the neighbours of this vector: [0.1,…], a text or a .npy file."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many rows.")] = 10,
    metric: Annotated[
        Literal["cosine", "inner_product", "l2", "l1"] | None,
        typer.Option(help="How to compare.", show_default="the metric of the table's index"),
    ] = None,
    ef_search: Annotated[
        int | None,
        typer.Option(help="Candidates that HNSW keeps: more finds more, slower.", show_default="40"),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare every row, to see what the index missed.")
    ] = False,
    with_vectors: Annotated[bool, typer.Option("--with-vectors", help="Print the vectors too.")] = False,
) -> None:
    """Find the rows nearest to a stored row or to a vector, best first.

    With --json, a list of {"id", "score"}. A score is higher for what is nearer; with cosine it is the
    cosine similarity, from -1 to 1.
    """
    from vectorops.database.query import Query, QueryById, stored_vector
    from vectorops.database.search import search as find
    from vectorops.database.tables import vector_table
    from vectorops.embeddings.query_vector import read_query_vector

    if (id is None) == (vector is None):
        raise UsageError(
            "search needs --id or --vector, one of them", hint="vectorops search item_emb --id S10_1678"
        )
    state = state_of(context)
    with state.connect() as connection:
        query: Query = QueryById(str(id))
        if vector is not None:
            query = read_query_vector(vector)
        elif of is not None:
            query = stored_vector(connection, vector_table(connection, of), str(id))
        result = find(
            connection,
            vector_table(connection, table),
            query,
            k=k,
            metric=metric,
            ef_search=ef_search,
            exact=exact,
            with_vectors=with_vectors,
        )
    state.emit(neighbours(result), lambda console: show_result(console, result))


def neighbours(result: "SearchResult") -> list[dict[str, object]]:
    """Return a result for scripts: id and score, and the vector where it was asked for."""
    return [
        {"id": found.id, "score": found.score, **({} if found.vector is None else {"vector": found.vector})}
        for found in result.neighbours
    ]


def show_result(console: Console, result: "SearchResult") -> None:
    """Print a result as a table, and how it was found."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("#", "id", f"score ({result.metric.replace('_', ' ')})"):
        table.add_column(name, justify="left" if name == "id" else "right")
    has_vectors = any(found.vector is not None for found in result.neighbours)
    if has_vectors:
        table.add_column("vector", overflow="fold")
    for rank, found in enumerate(result.neighbours, start=1):
        vector = [] if found.vector is None else [",".join(f"{value:g}" for value in found.vector)]
        table.add_row(str(rank), str(found.id), f"{found.score:.4f}", *vector)
    console.print(table)
    if result.used_index:
        console.print(f"[dim]by index {result.index}, ef_search {result.ef_search}[/dim]")
    else:
        console.print("[dim]exact: every row was compared[/dim]")
