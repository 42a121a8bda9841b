"""What is inserted into a card is inert, in Markdown, HTML and plain text, and nothing is cut in two."""

import re
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.cards.offered import number_text
from cds_service.cards.text import (
    cut_at_line,
    cut_at_word,
    markdown_template,
    markdown_text,
    plain_template,
    plain_text,
    reflowed,
    rendered_block,
    rendered_line,
    word_count,
)

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<!-- comment -->",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "*bold* _em_ ~~gone~~",
    "`code`",
    "a | b",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "=====",
    "-----",
    "> quote",
    "&lt;b&gt; &#60;b&#62;",
    "https://evil.example/x",
    "HTTP://EVIL.EXAMPLE",
    "ftp://evil.example",
    "www.evil.example",
    "WWW.evil.example",
    "www.-evil.example",
    "mail@evil.example",
    "mailto:mail@evil.example",
    "{{ 7 * 7 }} {% if %}",
    "\\*not escaped\\*",
    "line one\n\n# line two\r\n- three\u2028four\u2029five\x85six",
    "a\u202eb\u2066c\u200bd\ufeffe\x00f\x1bg",
    "\ud800 lone",
]
TEXT = {"text", "softbreak", "inline", "paragraph_open", "paragraph_close"}


def tokens(markdown: str) -> set[str]:
    """Every kind of element that a GitHub-flavoured renderer with raw HTML makes of a text."""
    parsed = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
    return {token.type for token in parsed} | {child.type for token in parsed for child in token.children or ()}


def shown(markdown: str) -> str:
    """The text that a reader sees."""
    parsed = MarkdownIt("commonmark", {"html": True}).parse(markdown)
    return "".join(child.content for token in parsed for child in token.children or ())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "Taken with {} today.", "- {}", "**{}**"])
def test_hostile_text_makes_no_element(text: str, around: str) -> None:
    harmless = tokens(around.format("word"))
    assert tokens(around.format(markdown_text(text))) <= harmless | TEXT


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("inert", [markdown_text, plain_text])
def test_hostile_text_makes_no_autolink_and_no_control_character(text: str, inert: object) -> None:
    assert callable(inert)
    made = inert(text)
    assert not re.search(r"://|www\.[^ ]|@|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", made, re.IGNORECASE)
    made.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_has_no_marks_at_all(text: str) -> None:
    assert not set(plain_text(text)) & set("<>[]{}`*_~|#\\")


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_makes_an_element(text: str) -> None:
    assert tokens(f"Taken with {markdown_text(text)} today.") <= TEXT


@given(st.text(alphabet="a-+=#>.)1 *_`~<&[]|\n", max_size=12))
@settings(max_examples=400, deadline=None)
def test_no_text_at_the_beginning_of_a_line_makes_an_element(text: str) -> None:
    assert tokens(markdown_text(text)) <= TEXT


@pytest.mark.parametrize(
    "name",
    [
        "oxycodone",
        "buprenorphine/naloxone (Suboxone)",
        "ME/CFS",
        "4.5 mg",
        "Crohn's disease",
        "50 % - 60 %",
        "vitamin B12, e.g. drops",
        "+1",
    ],
)
def test_names_are_shown_as_they_are(name: str) -> None:
    assert shown(f"x {markdown_text(name)}") == f"x {name.replace('e.g.', 'e. g.')}"


def test_a_name_in_a_summary_keeps_its_brackets() -> None:
    assert plain_text("buprenorphine/naloxone (Suboxone)") == "buprenorphine/naloxone (Suboxone)"


def test_marks_become_harmless_look_alikes_in_plain_text() -> None:
    assert plain_text("[a](b) <c> {d} `e` f*g") == "(a)(b) \u2039c\u203a (d) 'e' f g"


def test_a_long_value_is_cut() -> None:
    assert len(markdown_text("a" * 100_000)) == 1_200


def test_templates_keep_authored_markup_and_escape_values() -> None:
    template = markdown_template("**{{ name }}**")
    assert rendered_block(template, {"name": "*x*"}) == r"**\*x\***"


def test_a_placeholder_in_a_value_is_not_a_template() -> None:
    assert rendered_line(plain_template("{{ name }}"), {"name": "{{ 7 * 7 }}"}) == "(( 7 7 ))"


def test_lines_of_a_paragraph_are_joined_and_list_items_stay() -> None:
    assert reflowed("a\n  b\n\n\n- c\n  d\n- e\n\nf\n") == "a b\n\n- c d\n- e\n\nf"


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("one two", 7, "one two"),
        ("one two three", 10, "one two…"),
        ("one two, three", 10, "one two…"),
        ("onetwothree", 5, "onet…"),
        ("a bcdefghijk", 10, "a bcdefgh…"),
    ],
)
def test_a_text_is_cut_at_a_word(text: str, limit: int, cut: str) -> None:
    assert cut_at_word(text, limit) == cut
    assert len(cut) <= max(limit, len(text))


def test_markdown_is_cut_at_a_line() -> None:
    assert cut_at_line("first\nsecond\nthird", 16) == "first\nsecond\n…"
    assert cut_at_line("first\nsecond", 12) == "first\nsecond"
    assert len(cut_at_line("x\n" * 500, 100)) <= 100


def test_words_are_counted_as_a_reader_does() -> None:
    assert word_count("- 28.8 % against\n\n**two words** -") == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("4.50", "4.5"),
        ("50", "50"),
        ("100", "100"),
        ("0.3333333", "0.333"),
        ("0.0004", "0.0004"),
        ("0", "0"),
        ("-1.5", "-1.5"),
        ("0.00012345", "0.000123"),
    ],
)
def test_numbers_are_written_for_a_reader(value: str, text: str) -> None:
    assert number_text(Decimal(value)) == text


def test_escaping_takes_linear_time() -> None:
    began = time.perf_counter()
    for mark in ("*", "www.", "@", "1.", "://", "a."):
        markdown_text(mark * 2_000_000)
        plain_text(mark * 2_000_000)
    assert time.perf_counter() - began < 2
