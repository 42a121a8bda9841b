"""Floor 7: `POST /cds-services/<id>/feedback`: acknowledged only when it is committed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Protocol

from flask import Blueprint, Response, abort

from cds_service.errors import StoreUnavailable
from cds_service.hooks.feedback import FeedbackItem, read_feedback
from cds_service.hooks.json_text import json_text
from cds_service.web.cds_services import read_body
from cds_service.web.errors import http_error, json_response

_RETRY_SECONDS: Final = 30


class FeedbackKeeper(Protocol):
    """What the web floor needs of the store."""

    def keep(self, items: Sequence[FeedbackItem], *, service: str, client: str, received_at: datetime) -> None:
        """Commit all items or none; raises StoreUnavailable."""


class NoStore:
    """Stands for the store where there is none."""

    def keep(self, items: Sequence[FeedbackItem], *, service: str, client: str, received_at: datetime) -> None:  # noqa: ARG002 - as FeedbackKeeper
        """Refuse all items."""
        raise StoreUnavailable("not set up")


@dataclass(frozen=True, slots=True)
class CountedFeedback:
    """Keeps feedback as `keeper` does, and counts items by service and outcome."""

    keeper: FeedbackKeeper
    count: Callable[[str, str, int], None]

    def keep(self, items: Sequence[FeedbackItem], *, service: str, client: str, received_at: datetime) -> None:
        """Commit all items or none; raises StoreUnavailable."""
        try:
            self.keeper.keep(items, service=service, client=client, received_at=received_at)
        except StoreUnavailable:
            self.count(service, "not-kept", len(items))
            raise
        for item in items:
            self.count(service, item.outcome, 1)


def feedback(services: Callable[[], Collection[str]], keeper: FeedbackKeeper, client: Callable[[], str]) -> Blueprint:
    """Make the feedback route of the named services; `client` tells who sent the present request."""
    blueprint = Blueprint("feedback", __name__)

    @blueprint.post("/cds-services/<service_id>/feedback")
    def give(service_id: str) -> Response:
        if service_id not in services():
            abort(HTTPStatus.NOT_FOUND)
        items = read_feedback(read_body())
        try:
            keeper.keep(items, service=service_id, client=client(), received_at=datetime.now(UTC))
        except StoreUnavailable:
            answer = http_error(HTTPStatus.SERVICE_UNAVAILABLE)
            answer.headers["Retry-After"] = str(_RETRY_SECONDS)
            return answer
        return json_response(json_text({"received": len(items)}))

    return blueprint
