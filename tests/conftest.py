"""Fixtures of all tests: the shipped pack, loaded once, and the service over HTTP with its clock stopped."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app
from cds_service.pack import read_pack
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Pacific/Chatham")
"""An odd time zone (UTC+13:45 in November): days that a test counts wrongly show."""
Json = dict[str, Any]


@pytest.fixture(scope="session")
def pack() -> Pack:
    """The rules and cards of the checkout."""
    return read_pack(ROOT / "rules", ROOT / "cards")


def service_client(pack: Pack, wishes: Wishes | None = None) -> FlaskClient:
    """Return a client of the service, in the middle of 22 November 2026."""
    noon_there = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
    return create_app(Settings(), PackAdvisor(pack, ZONE, wishes or Wishes(), lambda: noon_there)).test_client()


@pytest.fixture(scope="session")
def client(pack: Pack) -> FlaskClient:
    """The service over HTTP, on a day that stands still."""
    return service_client(pack)


@pytest.fixture(scope="session")
def answer(client: FlaskClient) -> Callable[[Json], Json]:
    """Post a request to the service of its hook, and return the JSON of a 200."""

    def post(request: Json) -> Json:
        response = client.post(f"/cds-services/naltrexone-{request['hook']}", data=json.dumps(request), content_type="application/json")
        assert response.status_code == 200, response.get_data(as_text=True)
        body: Json = response.get_json()
        return body

    return post


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The machine's Chromium, one for all tests of a worker."""
    from tests.browser_floor import chromium  # noqa: PLC0415 - only tests of pages need a browser's library

    with chromium() as one:
        yield one
