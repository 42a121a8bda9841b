"""Writes the list of error codes into docs/errors.md, out of the page of each code: `python -m tests.error_docs`."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PAGES = DOCS / "errors"
LISTED = re.compile(r"(?:^\| .*\n)+", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def first_sentence(page: Path) -> str:
    """Return what a page says first, without links: their addresses hold for the page."""
    text = " ".join(page.read_text(encoding="utf-8").split("\n\n")[1].split())
    sentence = re.match(r".*?[.:](?= |$)", text)
    return LINK.sub(r"\1", sentence[0] if sentence else text).rstrip(":")


def table(codes: list[str]) -> str:
    """Return the rows of some codes, each with the link to its page."""
    rows = (f"| [{code}](errors/{code}.md) | {first_sentence(PAGES / f'{code}.md')} |\n" for code in codes)
    return "| code | means |\n| --- | --- |\n" + "".join(rows)


def fresh(text: str) -> str:
    """Return the list with rows that are up to date; what stands between the tables is kept, and so is which code stands in which."""
    return LISTED.sub(lambda found: table(re.findall(r"\(errors/([A-Z]+-[0-9]{3})\.md\)", found[0])), text)


if __name__ == "__main__":
    page = DOCS / "errors.md"
    page.write_text(fresh(page.read_text(encoding="utf-8")), encoding="utf-8")
