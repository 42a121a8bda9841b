"""The page of hard cases is what the program says."""

from cds_service.service import Pack
from tests.explained import PAGE, page


def test_the_page_of_hard_cases_is_what_the_program_says(pack: Pack) -> None:
    assert page(pack) == PAGE.read_text(encoding="utf-8")
