"""The hand-written corpus: every readable text means what a pharmacist would understand, every other one is refused with its reason."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.facts.dose_amount import strength_of
from cds_service.facts.sig import REASONS, SigReading, read_sig
from cds_service.facts.steps import line_of
from cds_service.facts.timing import schedule_of
from cds_service.located import as_plain, read_yaml
from cds_service.unknown import Unknown
from tests.sig_generator import notation, notation_in_full

CORPUS = as_plain(read_yaml((Path(__file__).parent / "sig_corpus.yaml").read_text(encoding="utf-8"), "sig_corpus.yaml"))
BORDERS = as_plain(read_yaml((Path(__file__).parent / "sig_borders.yaml").read_text(encoding="utf-8"), "sig_borders.yaml"))
NAMES = frozenset(CORPUS["names"])


def _cases(part: str) -> Iterator[tuple[str, str]]:
    for texts in CORPUS["classes"].values():
        yield from texts.get(part, {}).items()


READ = tuple(_cases("read"))
REFUSED = tuple(_cases("refuse"))


def test_the_corpus_is_large_enough() -> None:
    assert (len(READ) >= 300, len(REFUSED) >= 80) == (True, True)


@pytest.mark.parametrize(("text", "meaning"), READ)
def test_a_readable_text_means_what_a_pharmacist_understands(text: str, meaning: str) -> None:
    assert notation(read_sig(text, NAMES)) == meaning


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_an_unclear_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert read_sig(text, NAMES) == Unknown(reason)


@pytest.mark.parametrize(("piece", "text", "meaning"), [(piece, *pair) for piece, texts in BORDERS.items() for pair in texts.items()])
def test_a_text_at_the_border_of_what_is_read_keeps_its_meaning(piece: str, text: str, meaning: str) -> None:
    assert notation_in_full(read_sig(text, NAMES, Decimal(piece) if piece else None)) == meaning


def test_every_reason_is_met_in_the_corpus_but_for_length() -> None:
    assert {reason for _, reason in REFUSED} == set(REASONS) - {"sig-too-long"}


@pytest.mark.parametrize("text", [text for text, _ in READ])
def test_what_is_read_never_contradicts_itself_for_the_facts_that_read_structured_orders(text: str) -> None:
    reading = read_sig(text, NAMES)
    assert isinstance(reading, SigReading)
    rates = [schedule_of(dosage).rate for dosage in reading.dosages]
    assert [rate for rate in rates if rate in (Unknown("contradictory-timing"), Unknown("unreadable-timing"))] == []
    lines = [line_of(dosage, strength_of(Unknown("no-drug")), "text") for dosage in reading.dosages]
    assert [line for line in lines if line.contradicts] == []


@pytest.mark.parametrize(
    "spread",
    [
        str.upper,
        str.lower,
        lambda text: f"  {text} ",
        lambda text: text.replace(" ", "   "),
        lambda text: text.replace(" ", "\t"),
        lambda text: f"{text}.",
    ],
    ids=["upper case", "lower case", "spaces around", "wide spaces", "tabs", "a full stop"],
)
def test_case_spaces_and_a_full_stop_never_change_a_meaning(spread: object) -> None:
    assert callable(spread)
    changed = [(text, meaning, notation(read_sig(spread(text), NAMES))) for text, meaning in READ]
    assert [(text, got) for text, meaning, got in changed if got != meaning] == []


def test_commas_and_semicolons_are_the_same() -> None:
    changed = [(text, meaning, notation(read_sig(text.replace(", ", "; "), NAMES))) for text, meaning in READ]
    assert [(text, got) for text, meaning, got in changed if got != meaning] == []


def test_a_word_that_is_not_understood_is_never_read_over() -> None:
    spoilt = [(text, read_sig(f"{text} zzyzx", NAMES)) for text, _ in READ]
    assert [text for text, got in spoilt if got != Unknown("sig-unread-words")] == []
