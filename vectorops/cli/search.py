"""`search`: the nearest neighbours of a vector."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from vectorops.cli.search_output import neighbours, show_batch, show_hybrid, show_result
from vectorops.cli.state import AppState, state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    import psycopg

    from vectorops.database.search import Query, Searcher


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("search")(search)


def search(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table to search, such as item_emb.")],
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
    queries: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Search for every vector of this file: .npy or CSV."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only rows that pass, such as 'price < 20' or 'lang in en, fr'. May be repeated."),
    ] = None,
    hybrid: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help='Also search for these words, and rank by both; or, "…" and -word.'
        ),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column that --hybrid searches.", show_default="the only text column")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many rows.")] = 10,
    metric: Annotated[
        Literal["cosine", "inner_product", "l2", "l1"] | None,
        typer.Option(help="How to compare.", show_default="the metric of the table's index"),
    ] = None,
    ef_search: Annotated[
        int | None,
        typer.Option(
            help="Candidates that HNSW keeps: more finds more, slower.",
            show_default="what 'index tune' stored, or 40",
        ),
    ] = None,
    first_pass: Annotated[
        Literal["column", "halfvec", "bit"] | None,
        typer.Option(
            help="Which index finds the candidates: of the vectors as stored, their halfvec, or their signs.",
            show_default="halfvec, column, bit: the first there is",
        ),
    ] = None,
    rerank: Annotated[
        int | None,
        typer.Option(
            help="Candidates of a halfvec or bit index to rank by their full vectors.",
            show_default="2 k for halfvec, all for bit",
        ),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare every row, to see what the index missed.")
    ] = False,
    with_vectors: Annotated[bool, typer.Option("--with-vectors", help="Print the vectors too.")] = False,
) -> None:
    """Find the rows nearest to a stored row or to a vector, best first.

    With --json, a list of {"id", "score"}; with --queries, a list of {"query", "neighbours"}. A score is
    higher for what is nearer; with cosine it is the cosine similarity, from -1 to 1. --hybrid takes words in
    the syntax of search engines: "a phrase", or, -not.
    """
    from vectorops.database.filters import parse_filters
    from vectorops.database.search import Searcher, SearchOptions
    from vectorops.database.tables import vector_table

    if sum(given is not None for given in (id, vector, queries)) != 1:
        raise UsageError(
            "search needs --id, --vector or --queries, one of them",
            hint="vectorops search item_emb --id S10_1678",
        )
    alone = {"--queries": queries, "--hybrid": hybrid, "--with-vectors": with_vectors or None}
    if len(given := [name for name, value in alone.items() if value is not None]) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together")
    state = state_of(context)
    more: dict[str, Any] = {"k": k, "filters": parse_filters(where or [])}
    with state.connect() as connection:
        options = SearchOptions(metric, ef_search, first_pass, rerank)
        searcher = Searcher(connection, vector_table(connection, table), options)
        if queries is not None:
            _search_many(state, searcher, queries, exact=exact, **more)
            return
        query = _query(connection, id=id, of=of, vector=vector)
        if hybrid is not None:
            _search_hybrid(state, searcher, query, hybrid, column=text_column, **more)
            return
        result = searcher.search(query, exact=exact, with_vectors=with_vectors, **more)
    _warn(state, result.warning)
    state.emit(neighbours(result), lambda console: show_result(console, result))


def _query(
    connection: "psycopg.Connection[Any]", *, id: str | None, of: str | None, vector: str | None
) -> "Query":
    from vectorops.database.query import QueryById, stored_vector
    from vectorops.database.tables import vector_table
    from vectorops.embeddings.query_vector import read_query_vector

    if vector is not None:
        return read_query_vector(vector)
    if of is not None:
        return stored_vector(connection, vector_table(connection, of), str(id))
    return QueryById(str(id))


def _search_many(state: AppState, searcher: "Searcher", path: Path, **more: Any) -> None:
    from vectorops.embeddings.query_file import read_query_vectors

    names, vectors = read_query_vectors(path)
    results = searcher.search_many(vectors, **more)
    for warning in dict.fromkeys(result.warning for result in results):
        _warn(state, warning)
    answers = [
        {"query": name, "neighbours": neighbours(result)} for name, result in zip(names, results, strict=True)
    ]
    state.emit(answers, lambda console: show_batch(console, names, results))


def _search_hybrid(state: AppState, searcher: "Searcher", query: "Query", text: str, **more: Any) -> None:
    result = searcher.hybrid(query, text, **more)
    _warn(state, result.warning)
    state.emit(result.hits, lambda console: show_hybrid(console, result))


def _warn(state: AppState, warning: str) -> None:
    if warning:
        state.note(f"[yellow]warning:[/yellow] {escape(warning)}")
