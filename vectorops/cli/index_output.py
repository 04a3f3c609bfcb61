"""How plans, builds and states of indexes look."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.sizes import size_text

if TYPE_CHECKING:
    from vectorops.database.index_build import BuildReport
    from vectorops.database.index_health import HealthReport
    from vectorops.database.index_plan import IndexPlan, TypePlan
    from vectorops.database.index_tune import TuneReport
    from vectorops.database.indexes import VectorIndex


def show_list(console: Console, found: "Mapping[str, Sequence[VectorIndex]]") -> None:
    """Print the indexes of each table."""
    table = _table("table", "index", "method", "holds", "metric", "parameters", "size:", "")
    for name, indexes in found.items():
        for index in indexes:
            options = " ".join(f"{key} {value}" for key, value in index.options.items())
            state = "[red]invalid[/red]" if not index.is_valid else "partial" if index.is_partial else ""
            holds = "vectors" if index.key == "column" else index.key
            row = (name, index.name, index.method, holds, index.metric or "other", options)
            table.add_row(*map(escape, row), size_text(index.size_bytes), state)
        if not indexes:
            table.add_row(escape(name), "[yellow]none[/yellow]")
    console.print(table)


def show_plan(console: Console, plan: "IndexPlan") -> None:
    """Print what each type takes, the proposal, and the command that builds it."""
    machine = plan.machine
    cpus = f", {machine.cpus} processors" if machine.cpus else ""
    console.print(f"[bold]{escape(plan.table)}[/bold]: {plan.rows:,} rows of {plan.dimension} dimensions")
    console.print(
        f"{escape(machine.source)}: memory {size_text(machine.memory_bytes)}{cpus}; "
        f"up to {size_text(plan.build_memory_bytes)} for a build, "
        f"{size_text(plan.search_memory_bytes)} for an index\n"
    )
    console.print(_types_table(plan))
    if plan.sample_rows:
        console.print(f"[dim]times from builds on {plan.sample_rows:,} rows[/dim]")
    spec, settings = plan.proposed, plan.settings
    console.print(
        f"\n[bold]Proposed:[/bold] {spec.type} for {spec.metric.replace('_', ' ')}, m {spec.m}, "
        f"ef_construction {spec.ef_construction}, maintenance_work_mem "
        f"{size_text(settings.maintenance_bytes)}, {settings.workers} parallel workers"
    )
    for reason in plan.reasons:
        console.print(f"  {escape(reason)}")
    if not plan.fits:
        console.print("  [yellow]it does not fit into the memory: the build takes many times longer[/yellow]")
    console.print(f"next: {escape(plan.command)}", soft_wrap=True)


def show_build(console: Console, report: "BuildReport") -> None:
    """Print what a build did."""
    if not report.was_built:
        console.print(f"[green]There is such an index already:[/green] {escape(report.index)}")
        console.print("[dim]--rebuild builds it again[/dim]")
    else:
        size = size_text(report.size_bytes)
        console.print(
            f"[green]Built[/green] {escape(report.index)} on {escape(report.table)}: {size} "
            f"in {seconds_text(report.elapsed_s)}"
        )
    for title, names in (
        ("in the place of", report.replaced),
        ("removed, of an earlier build", report.removed),
    ):
        if names:
            console.print(f"  {title}: {escape(', '.join(names))}")


def show_health(console: Console, reports: "Sequence[HealthReport]") -> None:
    """Print what was found in each table, and the command that mends it."""
    for report in reports:
        console.print(f"[bold]{escape(report.table)}[/bold]: {report.rows:,} rows")
        for one in report.findings:
            mark = "[red]✗[/red]" if one.severity == "problem" else "[dim]·[/dim]"
            console.print(f"  {mark} {one.kind}: {escape(one.about)}: {escape(one.found)}", soft_wrap=True)
            if one.mend:
                console.print(f"      [cyan]{escape(one.mend)}[/cyan]", soft_wrap=True)
        if report.is_healthy:
            console.print("  [green]✓[/green] no problems")


def show_tune(console: Console, report: "TuneReport") -> None:
    """Print what each ef_search found, and what is stored."""
    share = f" on {report.selectivity:.1%} of the rows ({escape(report.filter)})" if report.filter else ""
    console.print(
        f"[bold]{escape(report.index)}[/bold]: recall@{report.k} of {report.queries} searches, "
        f"against exact search{share}"
    )
    table = _table("ef_search:", f"recall@{report.k}:", "ms a query:", "")
    for step in report.steps:
        how = "" if step.index else "[dim]PostgreSQL compared every row[/dim]"
        table.add_row(str(step.ef_search), f"{step.recall:.3f}", f"{step.ms:.2f}", how)
    console.print(table)
    if report.ef_search:
        kept = "stored: searches use it" if report.stored else "not stored"
        console.print(f"[green]ef_search {report.ef_search}[/green] reaches {report.target_recall:g}; {kept}")
    elif not report.is_reached:
        console.print(f"[yellow]{report.recall:.3f} is the most, not {report.target_recall:g}[/yellow]")
    if report.note:
        console.print(escape(report.note), soft_wrap=True)


def seconds_text(seconds: float) -> str:
    """Return a duration such as "34.9 s" or "2 h 05 min"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _types_table(plan: "IndexPlan") -> Table:
    table = _table("type", "rule of thumb:", "build memory:", "index:", "build time:", "")
    for one in plan.types:
        if one.obstacle:
            table.add_row(one.type, "", "", "", "", f"[dim]{escape(one.obstacle)}[/dim]")
            continue
        time = "" if one.expected_s is None else f"about {seconds_text(one.expected_s)}"
        sizes = (size_text(size) for size in (one.rule_of_thumb_bytes, one.graph_bytes, one.index_bytes))
        table.add_row(one.type, *sizes, time, _fits(one))
    return table


def _fits(one: "TypePlan") -> str:
    if one.fits:
        return "[green]fits[/green]"
    missing = [name for name, fits in (("build", one.fits_build), ("search", one.fits_search)) if not fits]
    return f"[yellow]{' and '.join(missing)} would not fit[/yellow]"


def _table(*columns: str) -> Table:
    """Return a table; a column whose name ends in ":" holds numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.rstrip(":"), justify="right" if name.endswith(":") else "left", overflow="fold")
    return table
