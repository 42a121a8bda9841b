"""Every error code of the program has a section in docs/errors.md, and no section tells of a code that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = r"(?:REQ|HTTP|SET|CDS|RULE|YAML|CARD|TERM|STORE|CLIENT|TOKEN|FHIR)-[0-9]{3}"


def codes_of_the_program() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "cds_service").rglob("*.py"))
    return {code for source in sources for code in re.findall(rf'"({CODE})\b', source)}


def test_every_error_code_is_documented_and_no_other() -> None:
    documented = re.findall(rf"^### ({CODE})$", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(codes_of_the_program())
