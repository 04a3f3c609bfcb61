from datetime import UTC, datetime, timedelta

import pytest

from vectorops.cli.durations import parse_since
from vectorops.errors import UsageError


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        (" 1 H ", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
    ],
)
def test_a_duration_is_counted_back_from_now(text: str, ago: timedelta) -> None:
    before = datetime.now(UTC)
    since = parse_since(text)
    assert before - ago <= since <= datetime.now(UTC) - ago


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1y", "-1h", "1h30m", "1.5h", "36501d", "999999d", "9999999d"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_since(text)
    assert "30m" in caught.value.hint
