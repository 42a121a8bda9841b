"""Writes docs/explained.md: what `cds-service evaluate --explain` says of ten hard cases. `python -m tests.explained`."""

import json
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from cds_service.advisor import PackAdvisor
from cds_service.cli.evaluate import report
from cds_service.hooks.parse import read_call
from cds_service.service import Pack, Wishes
from tests.clinic import (
    ALCOHOL,
    DAILY,
    EMBEDA,
    FIBROMYALGIA,
    INGREDIENT,
    LDN_CAPSULE,
    LONG_TERM_OPIOID,
    METHADONE,
    OXYCODONE,
    SUBLOCADE,
    TABLET_50,
    VIVITROL,
    Json,
    amount,
    call,
    concept,
    condition,
    dosage,
    listed,
    order,
)

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/explained.md"
FIRED = ("fired", "held", "incomplete")
ONE_TABLET = dosage(1, "{tbl}", DAILY)


def _fixed(request: Json) -> Json:
    """Give every resource an id that does not change between runs."""
    resources = [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    resources += [
        entry["resource"] for value in request["prefetch"].values() if isinstance(value, dict) for entry in value.get("entry", [])
    ]
    names: dict[str, str] = {}
    for resource in resources:
        resource["id"] = names.setdefault(resource["id"], f"r{len(names) + 1}")
    return request


_STOPPED = listed(OXYCODONE, supply=30)
CASES: Mapping[str, Json] = {
    "The opioid is stopped and naltrexone started in one signing": call(
        order(TABLET_50, ONE_TABLET), {**_STOPPED, "status": "stopped"}, medications=[_STOPPED], conditions=[condition(ALCOHOL)]
    ),
    "Listed as active, its supply used up a month ago": call(
        order(TABLET_50, ONE_TABLET), medications=[listed(OXYCODONE, since=60, supply=30)], conditions=[condition(ALCOHOL)]
    ),
    "Monthly buprenorphine, last given 60 days ago": call(
        order(TABLET_50, ONE_TABLET), medications=[listed(SUBLOCADE, since=60, status="completed")], conditions=[condition(ALCOHOL)]
    ),
    "Opioids known from a diagnosis alone": call(
        order(TABLET_50, ONE_TABLET), conditions=[condition(ALCOHOL), condition(LONG_TERM_OPIOID)]
    ),
    "Morphine with sequestered naltrexone is an opioid, not a low dose": call(
        order(LDN_CAPSULE, dosage(4.5)), medications=[listed(EMBEDA)], conditions=[condition(FIBROMYALGIA)]
    ),
    "An opioid ordered 20 days after the monthly injection": call(
        order(OXYCODONE, dosage(5)), medications=[listed(VIVITROL, since=20, status="completed")]
    ),
    "A titration written in the dosing text alone": call(
        order(concept("naltrexone 1.5 mg capsule"), {"text": "1 cap qhs x 2 wk, then 2 caps qhs x 2 wk, then 3 caps qhs"}),
        conditions=[condition(FIBROMYALGIA)],
    ),
    "The dosing text contradicts the elements": call(
        order(
            concept("naltrexone 4.5 mg capsule"),
            {"timing": DAILY, "doseAndRate": [{"doseQuantity": amount(1, "{capsule}")}], "text": "Take 2 capsules at bedtime"},
        ),
        conditions=[condition(FIBROMYALGIA)],
    ),
    "45 mg where 4.5 mg was meant, perhaps": call(order(INGREDIENT, dosage(45)), conditions=[condition(FIBROMYALGIA)]),
    "The list of ended orders was not sent; methadone is in use": call(
        order(LDN_CAPSULE, dosage(4.5)),
        medications=[listed(METHADONE)],
        conditions=[condition(FIBROMYALGIA)],
        prefetch={"recentMedications": ...},
    ),
}


def page(pack: Pack) -> str:
    """The page, with the rules that had something to say."""
    from tests.conftest import NOON  # noqa: PLC0415 - conftest is pytest's

    advisor = PackAdvisor(pack, ZoneInfo("UTC"), Wishes(with_trace=True), lambda: NOON)
    parts = [
        "# Ten hard cases, explained",
        "",
        "What `cds-service evaluate REQUEST.json --explain` prints, shortened to the summaries and to the rules that had something to say.",
        "Each line says what was asked, the answer, what was found, and on which resource that rests. Written by `python -m tests.explained`.",
    ]
    for title, request in CASES.items():
        decision = advisor.decide(read_call(json.dumps(_fixed(request)).encode(), request["hook"]))
        lines = [f"[{card.indicator}] {card.summary}" for card in decision.cards]
        parts += ["", f"## {title}", "", "```text", *lines, "", *report(decision, FIRED), "```"]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """Write the page anew."""
    from cds_service.pack import read_pack  # noqa: PLC0415 - only the command needs it

    PAGE.write_text(page(read_pack(ROOT / "rules", ROOT / "cards")), encoding="utf-8")


if __name__ == "__main__":
    main()
