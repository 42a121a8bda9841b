"""Every error code of the program has a page in docs/errors, and no page tells of a code that is gone."""

import re
from pathlib import Path

from tests.error_docs import DOCS, PAGES, fresh

ROOT = Path(__file__).parent.parent
CODE = r"(?:REQ|HTTP|SET|CDS|RULE|YAML|CARD|TERM|STORE|CLIENT|TOKEN|FHIR)-[0-9]{3}"


def codes_of_the_program() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "cds_service").rglob("*.py"))
    return {code for source in sources for code in re.findall(rf'"({CODE})\b', source)}


def test_every_error_code_has_a_page_and_no_other() -> None:
    assert sorted(page.stem for page in PAGES.iterdir()) == sorted(codes_of_the_program())
    assert [page.name for page in PAGES.iterdir() if page.read_text(encoding="utf-8").splitlines()[0] != f"# {page.stem}"] == []


def test_the_list_of_codes_is_what_the_pages_say() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert fresh(text) == text
    assert sorted(re.findall(rf"^\| \[({CODE})\]\(errors/\1\.md\)", text, re.MULTILINE)) == sorted(codes_of_the_program())
