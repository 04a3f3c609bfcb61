"""`recommend`: ask the deployed inference API."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.shop import find_shopper, product_names
from vectorops.cli.state import AppState, state_of
from vectorops.errors import InputDataError, UsageError

if TYPE_CHECKING:
    from vectorops.recommender.api_client import InferenceClient
    from vectorops.recommender.catalogue import Neighbour

MOST = 100


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("recommend")(recommend)


def recommend(
    context: typer.Context,
    customer: Annotated[int | None, typer.Option(help="For this customer of the source.")] = None,
    city: Annotated[str | None, typer.Option(help="For somebody from this city.")] = None,
    country: Annotated[str | None, typer.Option(help="From this country.")] = None,
    credit_limit: Annotated[float | None, typer.Option(help="With this credit limit.")] = None,
    like: Annotated[str | None, typer.Option(metavar="CODE", help="Products like this one, instead.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many.")] = 10,
) -> None:
    """Recommend products to a customer or to somebody described, or find products like one.

    Calls the deployed inference API, signed with your AWS credentials. On AWS, a customer is known by the
    vector in table user_emb. With --json, a list of {"id", "score", "name"}; higher scores are nearer.
    """
    described = any(value is not None for value in (city, country, credit_limit))
    if sum((customer is not None, described, like is not None)) != 1:
        raise UsageError(
            "recommend needs --customer, or a description (--city, --country, --credit-limit), or --like",
            hint="vectorops recommend --customer 103",
        )
    if credit_limit is not None and not math.isfinite(credit_limit):
        raise UsageError(
            f"--credit-limit {credit_limit} is no amount", hint="leave it out if it is not known"
        )
    state = state_of(context)
    client = _client(state)
    if like is not None:
        items, title = client.items_from_item(like, limit), f"products like {like}"
    elif customer is not None:
        vector, who = _customer_vector(state, client, customer)
        items, title = client.items_from_user(vector, limit), f"recommended to {who}"
    else:
        vector = client.user_vector(city, country, credit_limit)
        items, title = client.items_from_user(vector, limit), "recommended"
    rows = named_items(state, items)
    state.emit(rows, lambda console: show_items(console, title, rows))


def recommend_to_customer(state: AppState, number: int, limit: int) -> tuple[list[dict[str, Any]], str]:
    """Return what the deployed API recommends to a customer, and who that is in words."""
    client = _client(state)
    vector, who = _customer_vector(state, client, number)
    return named_items(state, client.items_from_user(vector, limit)), who


def named_items(state: AppState, items: "list[Neighbour]") -> list[dict[str, Any]]:
    """Return items with the names that the source knows."""
    names = product_names(state)
    return [{**item, **({"name": names[item["id"]]} if item["id"] in names else {})} for item in items]


def show_items(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    """Print items under a title, best first."""
    if not rows:
        console.print("[yellow]Nothing was found.[/yellow]")
        return
    console.print(f"[bold]{escape(title[:1].upper() + title[1:])}[/bold]")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("#", "id", "name", "score"):
        table.add_column(name, justify="right" if name in ("#", "score") else "left", overflow="fold")
    for rank, row in enumerate(rows, start=1):
        table.add_row(str(rank), escape(row["id"]), escape(row.get("name", "")), f"{row['score']:.4f}")
    console.print(table)


def _client(state: AppState) -> "InferenceClient":
    from vectorops.recommender.api_client import InferenceClient

    credentials = state.aws.signing_credentials()
    return InferenceClient(state.stack.inference_url, region=state.stack.region, credentials=credentials)


def _customer_vector(state: AppState, client: "InferenceClient", number: int) -> tuple[list[float], str]:
    """Return a customer's vector, and who that is in words.

    By what the source knows, embedded by the model in use; without the source, as it was loaded.
    """
    if shopper := find_shopper(state, number):
        limit = "no credit limit" if shopper.credit_limit is None else f"{shopper.credit_limit:,.0f}"
        known = ", ".join(part.strip() for part in (shopper.city, shopper.country, limit) if part)
        who = f"customer {number} ({known})"
        return client.user_vector(shopper.city, shopper.country, shopper.credit_limit), who
    return _stored_vector(state, number), f"customer {number} (vector of user_emb)"


def _stored_vector(state: AppState, number: int) -> list[float]:
    from vectorops.database.query import stored_vector
    from vectorops.database.tables import vector_table

    hint = "describe them: --city, --country, --credit-limit"
    if state.environment.is_local:
        raise InputDataError(f"the source has no customer {number}", hint=hint)
    with state.connect() as connection:
        try:
            found = stored_vector(connection, vector_table(connection, "user_emb"), str(number))
        except InputDataError as exc:
            raise InputDataError(f"user_emb has no customer {number}", hint=hint) from exc
    return [float(value) for value in found]
