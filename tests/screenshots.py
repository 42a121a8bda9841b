"""Takes the pictures of the workbench that stand in the docs, anew: `python -m tests.screenshots` (`make screenshots`)."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from cds_service.advisor import PackAdvisor
from cds_service.app import use_of
from cds_service.pack import read_pack
from cds_service.service import Wishes
from tests.browser_floor import DESKTOP, PHONE, chromium, reader, running
from tests.store_floor import store_at
from tests.workbench_floor import bench_with

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
    "workbench-rules": Picture("/workbench/rules"),
    "workbench-rule": Picture("/workbench/rules/opioid-conflict"),
    "workbench-phone": Picture("/workbench?sample=list-not-sent", "#cards", size=PHONE, scheme="dark"),
}
USE: Final = {
    "workbench-use": Picture("/workbench/use?period=quarter"),
    "workbench-use-charts": Picture("/workbench/use?period=quarter", "#charts-head"),
    "workbench-use-phone": Picture("/workbench/use?period=quarter", "#numbers-head", size=PHONE, scheme="dark"),
}
"""Pictures of a synthetic year, which ends today."""
_DECISIONS: Final = 40_000


def main() -> None:
    """Take all pictures: of the day of the tests, and of a year of decisions."""
    IMAGES.mkdir(exist_ok=True)
    pack = read_pack(ROOT / "rules", ROOT / "cards")
    with chromium() as browser:
        with running(bench_with(pack)) as base:
            take(browser, base, PICTURES)
        advisor = PackAdvisor(pack, UTC, Wishes())
        with tempfile.TemporaryDirectory() as folder:
            address = f"sqlite:///{folder}/year.sqlite3"
            command = [sys.executable, "-m", "benchmarks.year_of_decisions", "--decisions", str(_DECISIONS), "--keep", address]
            subprocess.run(command, check=True, cwd=ROOT)
            store = store_at(address)
            with running(bench_with(pack, lambda sources: replace(sources, today=advisor.today, use=use_of(advisor, store)))) as base:
                take(browser, base, USE)
            store.close()


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
