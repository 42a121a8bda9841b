"""What a call costs against a Flask handler that only parses the body: `python -m benchmarks.request_cost [ROUNDS]`; ends by itself.

Both answer the same bodies in this process, turn and turn about, so that the ratio holds when the machine's speed drifts.
Prints the processor milliseconds of both (median) and their ratio (median of the pairs).
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

import jiter
from flask import Flask, Response, request
from flask.testing import FlaskClient

from cds_service.app import settle_memory
from cds_service.observe import LOG
from cds_service.pack import read_pack
from tests.clinic import (
    FIBROMYALGIA,
    HYPERTENSION,
    LDN_CAPSULE,
    METFORMIN,
    OXYCODONE,
    TABLET_50,
    Json,
    call,
    condition,
    dosage,
    listed,
    order,
)
from tests.conftest import ROOT, service_client

_NOTE: Final[Json] = {"note": [{"text": "seen in clinic " * 100}]}
"""Makes a resource as long as those of real charts."""


def main(rounds: int) -> None:
    """Run all bodies and print a line for each."""
    LOG.disabled = True
    ours, null = service_client(read_pack(ROOT / "rules", ROOT / "cards")), _null_handler()
    settle_memory()
    print(f"{'call':<34} {'kB':>6} {'ours ms':>8} {'null ms':>8} {'ratio':>6}")
    for name, sent in _calls().items():
        body = json.dumps(sent)
        pairs = [(_cost(ours, body), _cost(null, body)) for _ in range(rounds)]
        mine, theirs = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        print(f"{name:<34} {len(body) / 1000:>6.0f} {mine:>8.2f} {theirs:>8.2f} {ratio:>6.2f}")


def _calls() -> dict[str, Json]:
    """Calls with charts of three sizes, beside which a rule fires or none is concerned."""
    said_nothing = order(METFORMIN, dosage(500))
    conflict = order(TABLET_50, dosage(50))
    return {
        "unrelated draft, no prefetch": call(said_nothing, prefetch=dict.fromkeys(_KEYS, ...)),
        "unrelated draft, large chart": _with_chart(said_nothing, 250),
        "first low-dose order": call(order(LDN_CAPSULE, dosage(4.5)), conditions=[condition(FIBROMYALGIA)]),
        "opioid conflict, small chart": _with_chart(conflict, 4),
        "opioid conflict, medium chart": _with_chart(conflict, 40),
        "opioid conflict, large chart": _with_chart(conflict, 250),
    }


_KEYS: Final = ("patient", "conditions", "activeMedications", "recentMedications")


def _with_chart(draft: Json, size: int) -> Json:
    medications = [listed(OXYCODONE, supply=30), *(listed(METFORMIN, dosage(500), supply=30, **_NOTE) for _ in range(size - 1))]
    conditions = [condition(FIBROMYALGIA), *(condition(HYPERTENSION, **_NOTE) for _ in range(size - 1))]
    return call(draft, medications=medications, conditions=conditions)


def _null_handler() -> FlaskClient:
    """A service that parses the body and has nothing to say."""
    app = Flask("null")

    def answer(service_id: str) -> Response:
        jiter.from_json(request.get_data(), float_mode="decimal")
        return Response('{"cards":[]}' if service_id else "", mimetype="application/json")

    app.add_url_rule("/cds-services/<service_id>", view_func=answer, methods=["POST"])
    return app.test_client()


def _cost(client: FlaskClient, body: str) -> float:
    """Return the processor seconds of one call."""
    post: Callable[..., object] = client.post
    started = time.process_time()
    post("/cds-services/naltrexone-order-sign", data=body, content_type="application/json")
    return time.process_time() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
