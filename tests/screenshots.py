"""Takes the pictures of the workbench that stand in the docs, anew: `python -m tests.screenshots` (`make screenshots`)."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from benchmarks.year_of_decisions import fill
from cds_service.analytics.rollup import roll_up
from cds_service.app import use_of
from cds_service.pack import read_pack
from tests.browser_floor import DESKTOP, PHONE, chromium, reader, running
from tests.conftest import ZONE
from tests.store_floor import opened
from tests.workbench_floor import NOON_THERE, advisor_at_noon, bench_with

ROOT: Final = Path(__file__).parent.parent
IMAGES: Final = ROOT / "docs/images"


@dataclass(frozen=True)
class Picture:
    """What one picture shows: a page, from which element on, after which clicks."""

    path: str
    start: str = ""
    clicks: tuple[str, ...] = ()
    size: tuple[int, int] = DESKTOP
    scheme: str = "light"


PICTURES: Final = {
    "workbench-samples": Picture("/workbench"),
    "workbench-cards": Picture("/workbench?sample=standard-dose-on-tramadol"),
    "workbench-facts": Picture("/workbench?sample=starts-at-the-top", "#facts"),
    "workbench-trace": Picture("/workbench?sample=soon-after-buprenorphine", "#rules", ("#rule-opioid-conflict > summary",)),
    "workbench-phone": Picture("/workbench?sample=list-not-sent", "#cards", size=PHONE, scheme="dark"),
}
USE: Final = {
    "workbench-use": Picture("/workbench/use?period=quarter"),
    "workbench-use-charts": Picture("/workbench/use?period=quarter", "#charts-head"),
    "workbench-use-phone": Picture("/workbench/use?period=quarter", "#numbers-head", size=PHONE, scheme="dark"),
}
"""Pictures of a synthetic year."""
_DECISIONS: Final = 40_000


def main() -> None:
    """Take all pictures, on the day of the tests."""
    IMAGES.mkdir(exist_ok=True)
    pack = read_pack(ROOT / "rules", ROOT / "cards")
    with chromium() as browser:
        with running(bench_with(pack)) as base:
            take(browser, base, PICTURES)
        with tempfile.TemporaryDirectory() as folder, opened("sqlite", Path(folder)) as store:
            fill(store, _DECISIONS, NOON_THERE)
            roll_up(store, ZONE, NOON_THERE)
            with running(bench_with(pack, lambda sources: replace(sources, use=use_of(advisor_at_noon(pack), store)))) as base:
                take(browser, base, USE)


def take(browser: Browser, base: str, pictures: Mapping[str, Picture]) -> None:
    """Take some pictures of one service."""
    for name, picture in pictures.items():
        with reader(browser, base, color_scheme=picture.scheme) as person:
            person.page.set_viewport_size({"width": picture.size[0], "height": picture.size[1]})
            page = person.open(picture.path)
            for click in picture.clicks:
                page.locator(click).click()
            if picture.start:
                page.locator(picture.start).evaluate("one => one.scrollIntoView()")
            page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
