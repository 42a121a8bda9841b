"""Rendering: sandboxed templates whose every inserted value is made inert, once for Markdown and once for plain text."""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

SUMMARY_LIMIT: Final = 139
"""`summary` is under 140 characters (CDS Hooks 2.0.1, card attributes)."""
DETAIL_LIMIT: Final = 20_000
_LONGEST_VALUE: Final = 1_200
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKDOWN: Final = str.maketrans({**_ENTITIES, **{mark: f"\\{mark}" for mark in "\\`*_[]~|#{}"}})
_PLAIN: Final = str.maketrans(
    {"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "{": "(", "}": ")", "`": "'", **dict.fromkeys("*_~|#\\", " ")}
)
_OPENERS: Final = frozenset("-+=")
_ENDS: Final = frozenset(["", *" .,;:!?)(/'\""])
"""What stands beside a dot that joins no two parts of an address."""


def markdown_text(value: object) -> str:
    """Make a value inert in GitHub-flavoured Markdown and in HTML: no element, link, autolink, heading or list comes of it."""
    return _without_list_mark(_without_links(_visible(value)).translate(_MARKDOWN))


def plain_text(value: object) -> str:
    """Make a value inert in a plain text (summary, labels) even where a client renders it: marks become look-alikes or spaces."""
    return _folded(_without_links(_visible(value)).translate(_PLAIN))


def markdown_template(source: str) -> Template:
    """Compile a template for the detail of a card; raises jinja2.TemplateSyntaxError."""
    return _MARKDOWN_TEMPLATES.from_string(source)


def plain_template(source: str) -> Template:
    """Compile a template for a summary, a label or another plain text; raises jinja2.TemplateSyntaxError."""
    return _PLAIN_TEMPLATES.from_string(source)


def fragment_template(source: str) -> Template:
    """Compile a template whose result is itself a value of another template, and is made inert there: so nothing is escaped twice."""
    return _FRAGMENT_TEMPLATES.from_string(source)


def rendered_line(template: Template, values: Mapping[str, object]) -> str:
    """Render to one line; raises jinja2.TemplateError."""
    return _folded(template.render(values))


def rendered_block(template: Template, values: Mapping[str, object]) -> str:
    """Render to paragraphs and lists, the lines of a paragraph joined (clients differ on single newlines); raises TemplateError."""
    return reflowed(template.render(values))


def reflowed(text: str) -> str:
    """Join the lines of each paragraph and of each list item; blank lines and lines that begin with "- " start anew."""
    lines: list[str] = []
    for line in text.split("\n"):
        bare = _folded(line)
        if bare and lines and lines[-1] and not bare.startswith("- "):
            lines[-1] = f"{lines[-1]} {bare}"
        elif bare or (lines and lines[-1]):
            lines.append(bare)
    return "\n".join(lines).strip()


def cut_at_word(text: str, limit: int) -> str:
    """Shorten a text to `limit` characters at the end of a word, with an ellipsis; one that fits is returned as it is."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    at_word = head[: head.rfind(" ")] if " " in head[limit // 2 :] else head[:-1]
    return at_word.rstrip(" ,;:.-(") + "…"


def cut_at_line(text: str, limit: int) -> str:
    """Shorten a Markdown text to `limit` characters at the end of a line, so that no escape or element is cut in two."""
    if len(text) <= limit:
        return text
    head = text[: limit - 2]
    return head[: max(head.rfind("\n"), 0)].rstrip() + "\n…"


def word_count(text: str) -> int:
    """Count words as a reader does: list marks and bare punctuation are none."""
    return sum(1 for word in text.split() if any(letter.isalnum() for letter in word))


def _environment(finalize: Callable[[object], str]) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML: `finalize` makes each value inert, for HTML too
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: object) -> str:
    """One line without control, bidirectional, unassigned and zero-width characters, and of bounded length."""
    text = str(value)[: 4 * _LONGEST_VALUE]
    is_plain = text.isascii() and text.isprintable()
    seen = text if is_plain else "".join(" " if unicodedata.category(letter) in _UNSEEN else letter for letter in text)
    return cut_at_word(_folded(seen), _LONGEST_VALUE)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _without_links(text: str) -> str:
    """Break what renderers link by themselves: "://", "@", and each dot inside a word that is no decimal point."""
    broken = text.replace("://", ": //").replace("@", " at ")
    parts = broken.split(".")
    joined = parts[0]
    for part in parts[1:]:
        before, after = joined[-1:], part[:1]
        is_inside = before not in _ENDS and after not in _ENDS and not (before.isdecimal() and after.isdecimal())
        joined += f". {part}" if is_inside else f".{part}"
    return joined


def _without_list_mark(text: str) -> str:
    """Take the meaning from a mark that begins a list or an underlined heading where the value begins a line."""
    if text[:1] in _OPENERS:
        return f"\\{text}"
    digits = len(text) - len(text.lstrip("0123456789"))
    mark, after = text[digits : digits + 1], text[digits + 1 : digits + 2]
    is_list = digits and mark in {".", ")"} and after in {"", " "}
    return f"{text[:digits]}\\{text[digits:]}" if is_list else text


_MARKDOWN_TEMPLATES: Final = _environment(markdown_text)
_PLAIN_TEMPLATES: Final = _environment(plain_text)
_FRAGMENT_TEMPLATES: Final = _environment(str)
