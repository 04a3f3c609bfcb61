"""Deploying, destroying and deploying again; last, because it has been going on in the background."""

from concurrent.futures import Future

import pytest

from tests.e2e.cli import Answer


@pytest.fixture
def answers(rebuilt: Future[list[Answer]]) -> list[Answer]:
    found = rebuilt.result()
    assert [answer.code for answer in found] == [0, 0, 0, 0], [answer.err[-2000:] for answer in found]
    return found


def test_destroy_leaves_nothing_and_deploy_works_again(answers: list[Answer]) -> None:
    first, destroyed, second, _ = (answer.json for answer in answers)
    assert destroyed["changes"] == {"delete": first["changes"]["create"]}
    assert second["changes"] == first["changes"]


def test_a_plan_after_the_second_deploy_has_no_changes(answers: list[Answer]) -> None:
    assert answers[3].json == {"changes": [], "changed_outputs": []}
