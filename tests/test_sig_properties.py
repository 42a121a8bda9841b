"""Properties of the sig parser: generated sigs keep their meaning, no text raises, work grows in step with the text."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.facts.sig import LONGEST_TEXT, REASONS, SigReading, read_sig
from cds_service.facts.sig.vocabulary import NUMBER_WORDS, PHRASES
from tests.sig_generator import generated, notation

MARKS = ("1", "2", ".5", "1/2", "4.5", "(", ")", "-", ",", ".", "/", "9:00", "#30", "=")
WORDS = (*sorted({" ".join(phrase) for phrase in PHRASES} | set(NUMBER_WORDS)), *MARKS)


@pytest.mark.parametrize("seed", range(4))
def test_a_generated_sig_is_read_as_it_was_meant(seed: int) -> None:
    sigs = [(sig, notation(read_sig(sig.text))) for sig in generated(seed, 400)]
    assert [(sig.text, sig.meaning, got) for sig, got in sigs if sig.meaning and got != sig.meaning] == []


@pytest.mark.parametrize("seed", range(4))
def test_a_spoiled_sig_is_never_read(seed: int) -> None:
    sigs = [sig for sig in generated(seed, 400) if not sig.meaning]
    assert [sig.text for sig in sigs if isinstance(read_sig(sig.text), SigReading)] == []


def test_the_same_seed_gives_the_same_sigs() -> None:
    assert list(generated(7, 50)) == list(generated(7, 50))


def _is_answer(text: str) -> bool:
    read = read_sig(text)
    return isinstance(read, SigReading) or (read.reason in REASONS and not read.missing)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_with_a_reason_of_the_list(text: str) -> None:
    assert _is_answer(text)


@given(
    st.text("00123459.,/-:'\N{VULGAR FRACTION ONE HALF}x ", max_size=8), st.sampled_from(["", " mg", " tab", "mg qhs", " pm", " mL/5 mL"])
)
@settings(max_examples=2000, deadline=None)
def test_any_digits_and_points_are_read_or_refused_with_a_reason_of_the_list(number: str, unit: str) -> None:
    assert _is_answer(f"take {number}{unit} daily")


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
@settings(max_examples=600, deadline=None)
def test_any_words_of_the_vocabulary_are_read_or_refused_with_a_reason_of_the_list(text: str) -> None:
    assert _is_answer(text)


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_whatever_is_read_states_only_amounts_above_zero_and_in_order(text: str) -> None:
    read = read_sig(text)
    dosages = read.dosages if isinstance(read, SigReading) else ()
    amounts = [dose.amount for dosage in dosages for dose in dosage.doses]
    assert [amount for amount in amounts if not 0 < amount.low <= amount.high] == []


HOSTILE: tuple[Callable[[int], str], ...] = (
    lambda size: "1 " * (size // 2),
    lambda size: "(" * size,
    lambda size: "take 1 " * (size // 7),
    lambda size: "1 mg, " * (size // 6),
    lambda size: "q.h.s." * (size // 6),
    lambda size: "mon, " * (size // 5),
    lambda size: "qhs and " * (size // 8),
    lambda size: "1/2-" * (size // 4),
    lambda size: "as needed for pain " * (size // 19),
    lambda size: "do not take more than " * (size // 22),
    lambda size: "week 1: 1 tab, " * (size // 15),
    lambda size: "1 tab qhs x 1 d, " * (size // 17),
    lambda size: "1 tab qhs x 1 d then " * (size // 21),
    lambda size: "1 tab at 8 am and " * (size // 18),
    lambda size: "a" * size,
    lambda size: "1" * size,
    lambda size: "." * size,
)


def _calls(text: str) -> int:
    """Count the calls of Python functions that reading a text takes: work, not time."""
    count = 0

    def counting(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    read_sig(text)
    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        read_sig(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("hostile", HOSTILE)
def test_work_grows_no_faster_than_the_text(hostile: Callable[[int], str]) -> None:
    short, long = _calls(hostile(LONGEST_TEXT // 4)), _calls(hostile(LONGEST_TEXT))
    assert long <= 5 * short + 500


@pytest.mark.parametrize("hostile", HOSTILE)
def test_work_is_bounded_for_each_character(hostile: Callable[[int], str]) -> None:
    assert _calls(hostile(LONGEST_TEXT)) <= 100 * LONGEST_TEXT
