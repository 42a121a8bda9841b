"""A fake advisor and the application around it, for tests of the web floor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.hooks.call import HookCall
from cds_service.hooks.discovery import ServiceDescription
from cds_service.service import ClientWishes
from cds_service.settings import Settings

Value = Any
CARD = {"summary": "Neutral advice", "indicator": "info", "source": {"label": "Test"}}
CALL = b'{"hook":"order-sign","context":{"patientId":"p1"}}'
SIGN = ServiceDescription("some-order-sign", "order-sign", "Title", "Description", "Needs nothing")
SELECT = ServiceDescription("some-order-select", "order-select", "Title 2", "Description 2")


def one_card(call: HookCall) -> Mapping[str, Any]:
    """Answer every call with the same card."""
    return {"cards": [{**CARD, "detail": call.hook}]}


@dataclass
class FakeAdvisor:
    """Offers two services and remembers what it was asked."""

    answer: Callable[[HookCall], Mapping[str, Any]] = one_card
    asked: list[HookCall] = field(default_factory=list)
    clients: list[ClientWishes] = field(default_factory=list)
    offered: tuple[ServiceDescription, ...] = (SIGN, SELECT)

    def services(self) -> tuple[ServiceDescription, ...]:
        return self.offered

    def advise(self, call: HookCall, client: ClientWishes) -> Mapping[str, Any]:
        self.asked.append(call)
        self.clients.append(client)
        return self.answer(call)


def app_with(advisor: FakeAdvisor | None = None, **settings: Value) -> Flask:
    """Make the application as it runs, around a fake advisor."""
    return create_app(Settings(**settings), advisor or FakeAdvisor())


def client_with(advisor: FakeAdvisor | None = None, **settings: Value) -> FlaskClient:
    """Make a client of the application."""
    return app_with(advisor, **settings).test_client()
