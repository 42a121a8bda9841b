"""The workbench around the shipped pack, on a day that stands still, for tests of its pages."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Flask

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app, sources_of
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from cds_service.web.workbench import Sources
from tests.conftest import ZONE

NOON_THERE = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)


def advisor_at_noon(pack: Pack) -> PackAdvisor:
    """Advise by a pack, on a day that stands still."""
    return PackAdvisor(pack, ZONE, Wishes(), lambda: NOON_THERE)


def bench_with(pack: Pack, change: Callable[[Sources], Sources] = replace, settings: Settings | None = None) -> Flask:
    """Make the application with its workbench; `change` puts other sources in the place of the real ones."""
    advisor = advisor_at_noon(pack)
    wanted = settings or Settings()
    return create_app(wanted, advisor, sources=change(sources_of(advisor, wanted)))
