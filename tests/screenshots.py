"""Takes the pictures of the workbench that stand in the docs, anew: `python -m tests.screenshots` (`make screenshots`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cds_service.pack import read_pack
from tests.browser_floor import DESKTOP, PHONE, chromium, reader, running
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
    "workbench-phone": Picture("/workbench?sample=list-not-sent", "#cards", size=PHONE, scheme="dark"),
}


def main() -> None:
    """Take all pictures, on the day of the tests."""
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser, running(bench_with(read_pack(ROOT / "rules", ROOT / "cards"))) as base:
        for name, picture in PICTURES.items():
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
