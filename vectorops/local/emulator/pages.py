"""Answers in pages, where the library gives everything at once."""

from typing import Any


def page(key: str, items: list[Any], data: dict[str, Any], size: int) -> dict[str, Any]:
    """Return one page of `items` under `key`, with `NextToken` when there are more.

    Args:
        key: Name of the list in the answer.
        items: The whole list.
        data: The request, whose `MaxResults` and `NextToken` choose the page.
        size: Most items in a page.
    """
    start = int(data.get("NextToken") or 0)
    end = start + min(int(data.get("MaxResults") or size), size)
    more = {"NextToken": str(end)} if end < len(items) else {}
    return {key: items[start:end], **more}
