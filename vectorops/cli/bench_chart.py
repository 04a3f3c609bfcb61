"""A page with the charts of a benchmark, in one file that needs no other."""

import html
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vectorops.database.search_bench import BenchPoint, BenchReport

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 44
# Two colours that stay apart without red and green (Okabe, Ito: "Color Universal Design").
_COLOURS = {"indexed": "#0072b2", "exact": "#d55e00"}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }}
body {{ color: #222; background: #fff; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1rem; margin: 0 0 .3rem; }}
.charts {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }} svg {{ max-width: 100%; }}
svg text {{ font-size: 12px; fill: #444; }} table {{ border-collapse: collapse; margin-top: 1.5rem; }}
td, th {{ padding: .25rem .9rem; text-align: right; border-bottom: 1px solid #ddd; }}
td:first-child, th:first-child {{ text-align: left; padding-left: 0; }}
.key {{ display: inline-block; width: .8rem; height: .8rem; margin: 0 .35rem 0 1rem; }}
.key:first-child {{ margin-left: 0; }}
</style></head><body>
<h1>{title}</h1><p>{facts}</p><p>{keys}</p>
<div class="charts"><div><h2>Searches per second</h2>{rates}</div>
<div><h2>Milliseconds: median, and 99th percentile (dashed)</h2>{times}</div></div>
{table}
</body></html>
"""


def bench_page(report: "BenchReport") -> str:
    """Return the page as HTML, with its charts as SVG inside."""
    kinds = list(dict.fromkeys(one.kind for one in report.points))
    keys = "".join(f'<span class="key" style="background:{_COLOURS[kind]}"></span>{kind}' for kind in kinds)
    return _PAGE.format(
        title=f"Searches of {html.escape(report.table)}",
        facts=html.escape(_facts(report)),
        keys=keys,
        rates=_chart(report.points, {"": lambda one: one.searches_per_s}),
        times=_chart(report.points, {"": lambda one: one.median_ms, "5 4": lambda one: one.p99_ms}),
        table=_table(report.points),
    )


def _facts(report: "BenchReport") -> str:
    facts = [f"{report.rows:,} rows of {report.dimension} dimensions", report.metric.replace("_", " ")]
    if report.filter:
        facts.append(f"where {report.filter}")
    if report.index:
        facts.append(f"index {report.index}, ef_search {report.ef_search}")
        facts.append(f"recall@{report.k} {report.recall:.3f} for {report.queries} of the table's own vectors")
    else:
        facts.append("no index was used: every search is exact")
    return " · ".join(facts)


def _chart(points: Sequence["BenchPoint"], lines: dict[str, Callable[["BenchPoint"], float]]) -> str:
    """Draw one line for each kind and way of counting; a key of `lines` is its dashes."""
    steps = sorted({one.concurrency for one in points})
    values = [count(one) for one in points for count in lines.values()]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    scale = _Scale(steps, low, max(high, low * 10))
    drawn = list(_axes(scale))
    for kind in dict.fromkeys(one.kind for one in points):
        of_kind = sorted((one for one in points if one.kind == kind), key=lambda one: one.concurrency)
        for dashes, count in lines.items():
            drawn.append(_line(scale, of_kind, count, _COLOURS[kind], dashes))
    label = f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">searchers at once</text>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}">{"".join(drawn)}{label}</svg>'


class _Scale:
    """Places on the chart: steps at equal distances, values by their logarithm."""

    def __init__(self, steps: Sequence[int], low: float, high: float) -> None:
        self.steps = steps
        self.low = low
        self.high = high

    def x(self, step: int) -> float:
        share = self.steps.index(step) / (len(self.steps) - 1) if len(self.steps) > 1 else 0.5
        return _LEFT + 20 + share * (_WIDTH - _LEFT - _RIGHT - 40)

    def y(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axes(scale: _Scale) -> Iterator[str]:
    value = scale.low
    while value <= scale.high * 1.001:
        y = scale.y(value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.6g}</text>'
        value *= 10
    for step in scale.steps:
        yield f'<text x="{scale.x(step):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{step}</text>'


def _line(
    scale: _Scale,
    points: Sequence["BenchPoint"],
    count: Callable[["BenchPoint"], float],
    colour: str,
    dashes: str,
) -> str:
    places = [(scale.x(one.concurrency), scale.y(count(one)), count(one)) for one in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{value:,.2f}</title></circle>'
        for x, y, value in places
    )
    style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
    return f'<polyline points="{path}" {style}/>{dots}'


def _table(points: Sequence["BenchPoint"]) -> str:
    names = ("search", "at once", "searches", "searches/s", "median ms", "99 % ms")
    rows = [
        (
            one.kind,
            str(one.concurrency),
            f"{one.searches:,}",
            f"{one.searches_per_s:,.1f}",
            f"{one.median_ms:.2f}",
            f"{one.p99_ms:.2f}",
        )
        for one in points
    ]
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
