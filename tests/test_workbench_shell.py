"""What all pages of the workbench share: who may open them, what browsers are told, which forms are refused."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.errors import StoreUnavailable
from cds_service.service import Pack
from cds_service.settings import Settings
from cds_service.web.workbench import Sources
from cds_service.web.workbench.use_source import UseSource
from cds_service.web.workbench.warm_up import warm_up, warm_up_behind
from tests.web_floor import client_with
from tests.workbench_floor import advisor_at_noon, bench_with

PACKAGE = Path(__file__).parent.parent / "cds_service/web/workbench"


@pytest.fixture(scope="module")
def bench(pack: Pack) -> FlaskClient:
    return bench_with(pack).test_client()


def test_the_first_page_is_html_that_no_cache_keeps(bench: FlaskClient) -> None:
    response = bench.get("/workbench")
    assert (response.status_code, response.mimetype, response.headers["Cache-Control"]) == (200, "text/html", "no-store")


def test_pages_let_nothing_inline_and_nothing_from_elsewhere_in(bench: FlaskClient) -> None:
    policy = bench.get("/workbench").headers["Content-Security-Policy"]
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("template", sorted((PACKAGE / "templates").glob("*.html")), ids=lambda path: path.name)
def test_no_template_holds_what_the_policy_forbids(template: Path) -> None:
    assert (
        re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:|\|\s*safe", template.read_text(encoding="utf-8")) == []
    )


def test_static_files_may_be_kept_for_ever_under_the_address_with_their_fingerprint(bench: FlaskClient) -> None:
    page = bench.get("/workbench").get_data(as_text=True)
    addresses = re.findall(r'(?:href|src)="(/workbench/static/[^"]+)"', page)
    assert len(addresses) >= 3
    kept = {bench.get(address).headers["Cache-Control"] for address in addresses}
    assert kept == {"public, max-age=31536000, immutable"}
    assert bench.get(addresses[0].partition("?")[0]).headers["Cache-Control"] == "no-cache"


def test_a_static_file_that_has_not_changed_is_not_sent_again(bench: FlaskClient) -> None:
    etag = bench.get("/workbench/static/workbench.css").headers["ETag"]
    assert bench.get("/workbench/static/workbench.css", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.css", "..%2f__init__.py", "../templates/base.html"])
def test_only_the_static_files_are_served(name: str, bench: FlaskClient) -> None:
    assert bench.get(f"/workbench/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://localhost:9"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused(headers: Mapping[str, str], bench: FlaskClient) -> None:
    assert bench.post("/workbench/anything", headers=headers).status_code in {403, 404}
    assert bench.post("/workbench", headers=headers).status_code == 403


def test_no_other_page_may_read_the_workbench_where_it_may_read_the_api(bench: FlaskClient) -> None:
    page = {"Origin": "http://localhost:8080"}
    assert "Access-Control-Allow-Origin" in bench.get("/cds-services", headers=page).headers
    for path in ("/workbench", "/workbench/", "/workbench//", "/workbench/static/workbench.css"):
        response = bench.get(path, headers=page)
        assert response.status_code == 200
        assert "Access-Control-Allow-Origin" not in response.headers


def test_links_stand_under_the_path_of_the_public_address(pack: Pack) -> None:
    page = bench_with(pack, settings=Settings(public_url="https://ehr.example.org/advice")).test_client().get("/workbench").text
    assert set(re.findall(r'(?:href|src)="(/[a-z]+/)', page)) == {"/advice/"}


def test_without_sources_there_are_no_pages() -> None:
    assert client_with().get("/workbench").status_code == 404


def test_a_process_renders_its_pages_before_anybody_asks(pack: Pack) -> None:
    asked: list[str] = []

    def away(*_: object) -> NoReturn:
        asked.append("use")
        raise StoreUnavailable("away")

    def watched(sources: Sources) -> Sources:
        return replace(sources, use=UseSource(away, away, away, away, away))

    warm_up_behind(bench_with(pack, watched)).join(10)
    assert asked == ["use"]


def test_an_application_without_a_workbench_starts_as_well(pack: Pack) -> None:
    app = create_app(Settings(), advisor_at_noon(pack))
    warm_up(app)
    assert app.test_client().get("/workbench").status_code == 404
