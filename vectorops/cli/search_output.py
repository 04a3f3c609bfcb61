"""How the answers to searches look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from vectorops.database.results import HybridResult, SearchResult


def neighbours(result: "SearchResult") -> list[dict[str, object]]:
    """Return a result for scripts: id and score, and the vector where it was asked for."""
    return [
        {"id": found.id, "score": found.score, **({} if found.vector is None else {"vector": found.vector})}
        for found in result.neighbours
    ]


def show_result(console: Console, result: "SearchResult", title: str | None = None) -> None:
    """Print a result as a table, and how it was found."""
    table = _table("#", "id", f"score ({result.metric.replace('_', ' ')})", title=title)
    if any(found.vector is not None for found in result.neighbours):
        table.add_column("vector", overflow="fold")
    for rank, found in enumerate(result.neighbours, start=1):
        vector = [] if found.vector is None else [",".join(f"{value:g}" for value in found.vector)]
        table.add_row(str(rank), escape(str(found.id)), f"{found.score:.4f}", *vector)
    console.print(table)
    console.print(f"[dim]{escape(_how(result))}[/dim]")


def show_batch(console: Console, names: Sequence[str], results: "Sequence[SearchResult]") -> None:
    """Print the answers to many queries, one row for each neighbour."""
    metric = results[0].metric.replace("_", " ") if results else "score"
    table = _table("query", "#", "id", f"score ({metric})")
    for name, result in zip(names, results, strict=True):
        for rank, found in enumerate(result.neighbours, start=1):
            table.add_row(escape(name), str(rank), escape(str(found.id)), f"{found.score:.4f}")
    console.print(table)
    for how in dict.fromkeys(map(_how, results)):
        console.print(f"[dim]{escape(how)}[/dim]")


def show_hybrid(console: Console, result: "HybridResult") -> None:
    """Print what vector and text found together, with the place in each list."""
    table = _table("#", "id", "score (fused)", "by vector", "by text")
    for rank, hit in enumerate(result.hits, start=1):
        places = ("" if place is None else str(place) for place in (hit.vector_place, hit.text_place))
        table.add_row(str(rank), escape(str(hit.id)), f"{hit.score:.4f}", *places)
    console.print(table)
    vectors = f"vectors by index {result.index}" if result.index else "every vector was compared"
    how = f"{vectors}; text of {result.text_column} as {result.text_config}"
    console.print(f"[dim]{escape(how)}[/dim]")


def _how(result: "SearchResult") -> str:
    if not result.used_index:
        return "exact: every row was compared"
    ranked = f", {result.candidates} candidates ranked by their full vectors" if result.candidates else ""
    return f"by index {result.index}, ef_search {result.ef_search}{ranked}"


def _table(*columns: str, **options: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", **options)
    for name in columns:
        table.add_column(name, justify="left" if name in ("id", "query") else "right")
    return table
