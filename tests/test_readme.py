"""What README and docs show is what the service does."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.clinic import Json

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_first_request_of_the_readme_gets_the_answer_that_it_shows(answer: Callable[[Json], Json]) -> None:
    fixture = re.findall(r"-d @(\S+)", README)[0]
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    cards = answer(json.loads((ROOT / fixture).read_text(encoding="utf-8")))["cards"]
    assert [{key: card[key] for key in ("indicator", "summary")} for card in cards] == shown


def test_the_prefetch_table_of_the_docs_is_that_of_discovery(client: FlaskClient) -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", (ROOT / "docs/answers.md").read_text(encoding="utf-8"), re.MULTILINE)[:4])
    assert [service["prefetch"] for service in client.get("/cds-services").get_json()["services"]] == [shown, shown]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_card_of_the_readme_is_one_that_a_clinician_sees(answer: Callable[[Json], Json]) -> None:
    card = answer(json.loads((ROOT / "fixtures/calls/epic-order-sign.json").read_text(encoding="utf-8")))["cards"][0]
    seen = [
        card["summary"],
        card["detail"],
        *(one["label"] for one in card["suggestions"]),
        *(one["display"] for one in card["overrideReasons"]),
    ]
    quoted = re.findall(r"^> (.+)$", README, re.MULTILINE)
    shown = [
        re.sub(r"^🟥 \*\*|\*\*$", "", quoted[0]),
        quoted[1],
        quoted[2].removesuffix(" …"),
        *re.findall(r"`([^`]+)`|\*([^*]+)\*", quoted[3])[0][:1],
    ]
    shown.append(re.findall(r"Override: \*([^*]+)\*", quoted[3])[0])
    assert [text for text in shown if not any(text in one for one in seen)] == []
