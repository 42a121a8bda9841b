"""The page of one stored decision, and who may open the workbench where a client registry is in force."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.errors import StoreUnavailable
from cds_service.service import Pack
from cds_service.settings import Settings
from cds_service.store.engine import Store
from cds_service.store.lookup import find_decision
from cds_service.web.workbench import Sources
from tests.analytics_floor import Made, Told, plant, say
from tests.clients_floor import registry_file
from tests.store_floor import opened
from tests.workbench_floor import bench_with

NOBODY = "00000000-0000-4000-8000-000000000000"


def bench_that_finds(pack: Pack, find: Callable[[str], object | None] | None) -> FlaskClient:
    def change(sources: Sources) -> Sources:
        return replace(sources, find_decision=find)

    return bench_with(pack, change).test_client()


def planted(store: Store) -> Made:
    made = Made(
        findings=[Told("opioid-conflict"), Told("pain-plan", "silent", 2, None)],
        reads="missing",
        ms=12.5,
        id="2f6a8c0e-0000-4000-8000-00000000abcd",
    )
    plant(store, made)
    say(store, made.card(), "overridden", "will-monitor", comment="a word about the patient")
    return made


def test_a_stored_decision_shows_rules_fates_completeness_and_feedback_and_no_comment(pack: Pack, tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        made = planted(store)
        response = bench_that_finds(pack, partial(find_decision, store)).get(f"/workbench/decision?id={made.id.upper()}")
    assert response.status_code == 200
    assert 'href="/workbench/rules/opioid-conflict"' in response.text
    for told in ("Opioid in use, or stopped too recently", "shown on a card", "the rule is silent", "Missing", "12.5 ms", "Will-Monitor"):
        assert told in response.text
    assert "a word about the patient" not in response.text


@pytest.mark.parametrize(
    ("path", "find", "status", "says"),
    [
        ("", None, 200, "A stored decision"),
        (f"?id={NOBODY}", None, 404, "keeps no decisions"),
        (f"?id={NOBODY}", lambda _: None, 404, "No decision of this id is kept"),
        ("?id=<script>", lambda _: None, 400, "This is no decision id"),
    ],
)
def test_where_there_is_no_decision_to_show_the_page_says_why(
    path: str, find: Callable[[str], object | None] | None, status: int, says: str, pack: Pack
) -> None:
    response = bench_that_finds(pack, find).get(f"/workbench/decision{path}")
    assert (response.status_code, says in response.text, "<script>" in response.text) == (status, True, False)


def test_a_store_that_cannot_be_read_is_told(pack: Pack) -> None:
    def fail(_: str) -> object:
        raise StoreUnavailable("down")

    assert bench_that_finds(pack, fail).get(f"/workbench/decision?id={NOBODY}").status_code == 503


PAGES = (
    "/workbench",
    "/workbench/",
    "/workbench?sample=depot",
    "/workbench/decision",
    "/workbench/static/workbench.css",
    "/workbench/none",
)


def trusting(pack: Pack, folder: Path, *proxies: str) -> FlaskClient:
    """The service with a client registry, behind these proxies."""
    settings = Settings(
        clients_file=registry_file(folder), public_url="https://cds.example.org", trusted_proxies=proxies, user_header="X-Signed-In"
    )
    return bench_with(pack, settings=settings).test_client()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_with_a_registry_every_page_is_closed_without_a_redirect(path: str, method: str, pack: Pack, tmp_path: Path) -> None:
    response = trusting(pack, tmp_path).open(path, method=method, headers={"X-Signed-In": "pharmacist", "Accept": "text/html"})
    assert (response.status_code, response.headers.get("Location"), response.mimetype) == (404, None, "application/json")


def test_a_proxy_that_names_no_user_opens_nothing(pack: Pack, tmp_path: Path) -> None:
    client = trusting(pack, tmp_path, "127.0.0.1")
    assert client.get("/workbench").status_code == 404
    assert client.get("/workbench", headers={"X-Signed-In": ""}).status_code == 404
    assert client.get("/workbench", headers={"X-Signed-In": "a,b"}).status_code == 404


def test_a_user_whom_a_named_proxy_has_signed_in_sees_the_pages_and_nothing_else_is_opened(pack: Pack, tmp_path: Path) -> None:
    client, user = trusting(pack, tmp_path, "127.0.0.1"), {"X-Signed-In": "pharmacist", "Accept": "text/html"}
    assert client.get("/workbench", headers=user).status_code == 200
    assert client.get("/workbench?sample=depot", headers=user).status_code == 200
    assert client.get("/workbenches", headers=user).status_code == 404
    assert client.get("/", headers=user).status_code == 404
    assert client.post("/cds-services/naltrexone-order-sign", headers=user, json={}).status_code == 401


def test_another_proxy_opens_nothing(pack: Pack, tmp_path: Path) -> None:
    client = trusting(pack, tmp_path, "10.0.0.0/8")
    assert client.get("/workbench", headers={"X-Signed-In": "pharmacist"}).status_code == 404


def test_the_bare_address_leads_a_browser_to_the_workbench_and_a_program_to_json(pack: Pack) -> None:
    client = bench_with(pack).test_client()
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["Location"], "Accept" in browser.headers["Vary"]) == (303, "workbench", True)
    for accept in ("*/*", "application/json", ""):
        assert client.get("/", headers={"Accept": accept}).get_json()["discovery"] == "/cds-services"
