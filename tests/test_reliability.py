"""docs/reliability.md tells of every promise, with tests that exist and a figure that was measured."""

from pathlib import Path

import pytest

from tests import reliability
from tests.reliability import FIGURES, PROMISES, TESTS, shown_by
from tests.test_web_trust import REFUSED

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_what_the_tests_say() -> None:
    assert (DOCS / "reliability.md").read_text(encoding="utf-8") == reliability.page(), "run: make docs"


def test_every_promise_is_there_once_and_was_measured() -> None:
    assert [promise.number for promise in PROMISES] == list(range(1, 13))
    assert [name for name, figure in FIGURES.items() if not any(letter.isdigit() for letter in figure)] == []
    assert f"{len(REFUSED)}" == FIGURES["bad"]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.number)
def test_each_promise_has_tests_that_name_it(promise: reliability.Promise) -> None:
    assert sum(shown_by(promise).values()) > 0
    assert [file for file in promise.files if not (TESTS / file).is_file()] == []
