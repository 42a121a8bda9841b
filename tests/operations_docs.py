"""Writes the table of metrics into docs/operations.md: `python -m tests.operations_docs`."""

from pathlib import Path

from cds_service.metrics import metrics_table

DOCS = Path(__file__).parent.parent / "docs" / "operations.md"
BEGIN, END = "<!-- metrics: written by `make docs` -->\n", "<!-- end of metrics -->"


def fresh(text: str) -> str:
    """Return the page with a table that is up to date."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{metrics_table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCS.write_text(fresh(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
