import pytest

from vectorops.cli.group import globals_first


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["deploy", "--env", "prod", "--yes"], ["--env", "prod", "deploy", "--yes"]),
        (["search", "item_emb", "--json", "--env=dev"], ["--json", "--env=dev", "search", "item_emb"]),
        (["status"], ["status"]),
        (["status", "--env"], ["--env", "status"]),
        (["glue-run", "--", "--json"], ["glue-run", "--", "--json"]),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], ordered: list[str]) -> None:
    assert globals_first(given) == ordered
