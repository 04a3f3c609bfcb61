"""How sending, recommendations, replays and the state of the pipeline look."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.sizes import size_text

if TYPE_CHECKING:
    from vectorops.streaming.metrics import Reading
    from vectorops.streaming.replay import ReplayReport
    from vectorops.streaming.status import PipelineStatus
    from vectorops.streaming.tail import Recommendation

GOOD_STATES = ("ACTIVE", "Active")
SHOWN_ITEMS = 3
NO_DATA = "[dim]no data[/dim]"
WORDS = {
    "events_in": "events in",
    "events_refused": "events refused by the stream",
    "iterator_age": "age of the oldest unread event, greatest",
    "delivery_freshness": "age of the oldest undelivered event, greatest",
    "delivered": "recommendations delivered",
    "transform_success": "calls of the transform that succeeded",
    "records_failed": "records that the transform failed",
    "invocations": "calls",
    "errors": "errors",
    "throttles": "throttled calls",
    "duration_mean": "duration, mean",
    "duration_longest": "duration, longest",
}


def show_sent(console: Console, report: Mapping[str, Any]) -> None:
    """Print what was sent: one line, then the counts."""
    count, elapsed_s = report["acknowledged"], report["elapsed_s"]
    rate = f", {count / elapsed_s:,.0f} events/s" if elapsed_s else ""
    console.print(f"[green]Sent[/green] {count:,} events to {report['stream']} in {elapsed_s:.1f} s{rate}")
    unsent = report["unsent"]
    rows = {
        "acknowledged": f"{count:,}",
        "failed": f"{report['failed']:,}",
        "unsent": "not known" if unsent is None else f"{unsent:,}",
        "sent again": f"{report['resent']:,}",
        "left out": f"{len(report['skipped']):,}",
    }
    _show_counts(console, rows)
    for code, times in report["errors"].items():
        console.print(f"  [yellow]{escape(code)} {times:,} times[/yellow]")
    console.print("next: vectorops stream tail --since 5m")


def recommendation_text(found: "Recommendation") -> str:
    """Return one line about a recommendation, as markup."""
    delay = "      ?" if found.delay_s is None else f"{found.delay_s:+6.1f}s"
    start = f"[dim]{found.landed_at.astimezone():%H:%M:%S}[/dim] {delay}  "
    event = found.event
    if event is None:
        return f"{start}[red]not a JSON object:[/red] {_plain(found.text[:120])}"
    place = ", ".join(str(event[name]).strip() for name in ("city", "country") if event.get(name))
    who = f"customer {event.get('customer_number', '?')}" + (f" ({place})" if place else "")
    similar = event.get("similar_items")
    like = ""
    if isinstance(similar, Mapping) and similar.get("product_code"):
        like = f"  like {similar['product_code']}: {_items(similar.get('similar_items'))}"
    return f"{start}{_plain(who)}: {_plain(_items(event.get('recommended_items')))}[dim]{_plain(like)}[/dim]"


def recommendation_json(found: "Recommendation") -> str:
    """Return one line of JSON about a recommendation."""
    fields = {
        "landed_at": found.landed_at.isoformat(),
        "delay_s": found.delay_s,
        "key": found.key,
        "event": found.event,
        **({"text": found.text} if found.event is None else {}),
    }
    return json.dumps(fields, ensure_ascii=False)


def show_replayed(console: Console, report: "ReplayReport") -> None:
    """Print what a replay did: one line, then the counts."""
    verb = "[yellow]Would replay[/yellow]" if report.is_dry_run else "[green]Replayed[/green]"
    console.print(f"{verb} {report.replayed:,} records of {report.objects:,} error objects")
    for code, count in report.reasons.most_common():
        console.print(f"  {count:,} failed with {_plain(code)}: [dim]{_plain(report.messages[code])}[/dim]")
    counts = {
        "replayed before": report.before,
        "failed for another reason": report.deselected,
        "refused by the stream": report.failed,
        "unreadable": report.unreadable,
        **{f"can never succeed: {name}": count for name, count in report.faulty.items()},
    }
    _show_counts(console, {name: f"{count:,}" for name, count in counts.items() if count})
    if report.faulty:
        console.print("  [dim]--all replays what can never succeed, too[/dim]")
    if report.perhaps_twice:
        console.print(
            f"  [yellow]{report.perhaps_twice:,} of them were being sent when an earlier replay was killed, "
            "and may be in the stream twice[/yellow]"
        )
    if report.busy:
        console.print(f"  [yellow]{report.busy:,} objects were left to another replay at work[/yellow]")


def show_status(console: Console, report: "PipelineStatus") -> None:
    """Print the parts, then the figures of the pipeline and of each function, then what failed."""
    parts = _table("part", "name", "state", "")
    for part in report.parts:
        style = "green" if part.state in GOOD_STATES else "yellow"
        parts.add_row(part.kind, part.name, f"[{style}]{part.state}[/]", f"[dim]{escape(part.detail)}[/dim]")
    console.print(parts)
    minutes = round((report.until - report.since).total_seconds() / 60)
    console.print(f"\n[bold]The last {minutes:,} minutes[/bold]")
    figures = _table("", "whole time:", "latest:", "at")
    function = ""
    for reading in report.readings:
        owner, _, key = reading.key.rpartition(".")
        if owner != function:
            function = owner
            figures.add_row(f"[bold]{escape(owner)}[/bold]")
        figures.add_row(*_figures(reading, key, report.until, indent="  " if owner else ""))
    console.print(figures)
    _show_failures(console, report)


def _show_failures(console: Console, report: "PipelineStatus") -> None:
    failures = report.failures
    if not failures.objects or failures.last_at is None:
        console.print("\n[green]No error objects were written.[/green]")
        return
    console.print(
        f"\n[red]Error objects: {failures.objects:,}[/red] ({size_text(failures.size_bytes)}), "
        f"the last at {_time(failures.last_at, report.until)}"
    )
    console.print("next: vectorops stream replay --dry-run")


def _figures(reading: "Reading", key: str, now: datetime, *, indent: str) -> tuple[str, ...]:
    words = indent + WORDS.get(key, key)
    if reading.whole is None or reading.latest is None or reading.latest_at is None:
        return words, NO_DATA, "", ""
    return (
        words,
        _number(reading.whole, reading.unit),
        _number(reading.latest, reading.unit),
        _time(reading.latest_at, now),
    )


def _number(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:,.2f} s" if unit == "s" else f"{value:,.0f}"


def _time(moment: datetime, now: datetime) -> str:
    """Return a moment as the clock here shows it, with the day when it is not today's."""
    local = moment.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M:%S}"


def _plain(text: str) -> str:
    """Return what a sender wrote without line breaks and whatever else would steer a terminal."""
    return escape("".join(one if one.isprintable() else "�" for one in text))


def _items(items: object) -> str:
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        return "nothing"
    try:
        shown = [f"{item['id']} {item['score']:.2f}" for item in items[:SHOWN_ITEMS]]
    except (TypeError, KeyError, ValueError):  # somebody else's object below our prefix
        return "no items"
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _show_counts(console: Console, rows: Mapping[str, str]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(f"  {name}", value)
    console.print(table)


def _table(*columns: str) -> Table:
    """Return a table; a column whose name ends in ":" holds numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.rstrip(":"), justify="right" if name.endswith(":") else "left", overflow="fold")
    return table
