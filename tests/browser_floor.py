"""A real Chromium in front of the workbench, for tests of its pages: what went wrong on a page, its width, its accessibility."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from werkzeug.serving import make_server

ROOT: Final = Path(__file__).parent.parent
SCREENSHOTS: Final = Path(os.environ.get("SCREENSHOTS_DIR") or ROOT / "build/screenshots")
"""Where the pictures of a run go: CI keeps them, git does not."""
DESKTOP: Final = (1280, 900)
PHONE: Final = (390, 844)
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_LISTEN: Final = """
  window.refusedByPolicy = [];
  document.addEventListener("securitypolicyviolation", (one) => window.refusedByPolicy.push(`${one.effectiveDirective} ${one.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's Chromium; the test is skipped where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(_NAMES)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def running(app: Flask) -> Iterator[str]:
    """Serve an application on a free port of this machine; yields its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Reader:
    """One person at one browser: opens pages, and hears every complaint of the browser."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the service."""
        self.page.goto(self.base + path)
        return self.page

    def faults(self, part: str = "body") -> list[str]:
        """List what is wrong with the open page: errors of the console, policy violations, sideways scrolling, accessibility.

        `part` is where accessibility is looked at: axe takes seconds for thousands of elements.
        """
        refused: list[str] = self.page.evaluate("window.refusedByPolicy")
        return [*self.complaints, *refused, *self.too_wide(), *inaccessible(self.page, part)]

    def too_wide(self) -> list[str]:
        """Name the widths at which the page as a whole scrolls sideways."""
        found = []
        for width, height in (PHONE, DESKTOP):
            self.page.set_viewport_size({"width": width, "height": height})
            inner, whole = self.page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
            found += [f"{whole} pixels wide at {inner}"] if whole > inner else []
        return found

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Keep pictures of the open page, or of what is seen of it first, for a person to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for device, (width, height) in {"phone": PHONE, "desktop": DESKTOP}.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{device}.png", full_page=whole)


@contextmanager
def reader(browser: Browser, base: str, **wishes: str) -> Iterator[Reader]:
    """Sit a person down at a fresh browser; `wishes` are those of a browser context (`color_scheme="dark"`)."""
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, **wishes)  # type: ignore[arg-type]
    context.add_init_script(_LISTEN)
    person = Reader(context.new_page(), base)

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            person.complaints.append(message.text)

    person.page.on("console", hear)
    person.page.on("pageerror", lambda error: person.complaints.append(str(error)))
    yield person
    context.close()


def inaccessible(page: Page, part: str = "body") -> list[str]:
    """List what axe finds wrong, each with the element where it was found."""
    found = Axe().run(page, context=part).response["violations"]
    return [f"{one['id']}: {one['help']} ({node['target'][0]})" for one in found for node in one["nodes"][:3]]
