"""Times every pattern and every reader of text over growing hostile inputs: `python -m benchmarks.linear_patterns`.

Each line tells the time for the longest input and how the time grew where the input doubled (2 is linear, 4 would be
quadratic): the largest of several kinds of text. Ends with status 1 where one grows faster than LIMIT.
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

import cds_service
from cds_service.cards.text import markdown_text, plain_text, reflowed
from cds_service.errors import RequestRefused
from cds_service.facts.sig import read_sig
from cds_service.fhir.elements import Concept, Medication
from cds_service.fhir.prefetch import portions
from cds_service.fhir.reading import Source, read_chart
from cds_service.hooks.parse import read_call
from cds_service.pack import read_pack
from cds_service.service import Pack

ROOT: Final = Path(__file__).parent.parent
SIZES: Final = (8_000, 16_000, 32_000)
LIMIT: Final = 3.0
"""Where the input doubles; noise of a shared machine included, a quadratic reader is still told from a linear one."""
UNMEASURED: Final = 0.001
"""CPU seconds: below that a ratio says nothing."""
REPEATS: Final = 2
SUSPECT: Final = 2.5
CAREFUL: Final = 5
LONGER: Final = 8
"""What grew faster than SUSPECT is run CAREFUL times over texts LONGER times as long."""
TOO_LONG: Final = 2.0
"""CPU seconds of one reading after which longer texts need not be tried."""
TODAY: Final = date(2026, 11, 22)

SEEDS: Final = (
    "a", "1", " ", "\n", "a ", "1 ", "-", ".", ",", "a.", "1.", "1,", "0", "(", "((", ")", "/", "1/", "mg ", "1 mg ", "1 mg/", "1 mg/1 mL ",
    "naltrexone ", "naltrexone 4.5 mg ", "no fibromyalgia ", "no ", "fibromyalgia ", "family history of ", "1 cap qhs x 2 wk, then ", "then ", "may ",
    "by mouth ", "2026-11-22T", "urn:oid:1.", "http://", "://", "@", "x@", "www.", "<", "&", "*", "`", "[", "](", "|", "~~", "{{", "\\", "\u202e", "é",
    "Patient/", "https://a.example/fhir/", "a-", "a_", "'", '"', "#", "- ",
)  # fmt: skip
"""What hostile texts are made of by repetition; each also with an end that makes a match fail at the last letter."""
ENDS: Final = ("", "!", "\x00")

Reader = Callable[[str], object]
_USES: Final[Mapping[str, Callable[[re.Pattern[str], str], object]]] = {
    "match": re.Pattern.match,
    "fullmatch": re.Pattern.fullmatch,
    "search": re.Pattern.search,
    "finditer": lambda pattern, text: sum(1 for _ in pattern.finditer(text)),
    "findall": re.Pattern.findall,
    "sub": lambda pattern, text: pattern.sub("", text),
    "split": re.Pattern.split,
}
"""The ways in which a pattern looks through a text."""


def patterns() -> Mapping[str, re.Pattern[str]]:
    """Find every compiled pattern of the package, by module and name."""
    found: dict[str, re.Pattern[str]] = {}
    for module in pkgutil.walk_packages(cds_service.__path__, "cds_service."):
        if module.name.endswith("__main__") or ".migrations." in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str) and value not in found.values():
                found[f"{module.name.removeprefix('cds_service.')}.{name}"] = value
    return found


def readers(pack: Pack) -> Mapping[str, Reader]:
    """Name the readers that a chart's or a request's text reaches."""
    return {
        "sig text": lambda text: read_sig(text, pack.context.drug_words),
        "drug name": lambda text: pack.drugs.find(Medication(Concept(text=text))),
        "condition name": lambda text: pack.conditions.find(Concept(text=text)),
        "Markdown text": markdown_text,
        "plain text": plain_text,
        "card body": reflowed,
        "request": lambda text: _call(_request(text)),
        "prefetch keys": lambda text: portions({text: {"entry": []}}, today=TODAY, history_days=Decimal(60)),
        "self link": lambda text: portions({"k": _searched(text)}, today=TODAY, history_days=Decimal(60)),
        "chart": lambda text: _chart(pack, text),
    }


def _request(text: str) -> bytes:
    context = {"patientId": "p1", "userId": text, "draftOrders": {"entry": [{"resource": text}, {"fullUrl": text}]}, "selections": [text]}
    return json.dumps({"hook": "order-sign", "context": context, "prefetch": {text: text}}).encode()


def _call(body: bytes) -> None:
    try:
        read_call(body, "order-sign")
    except RequestRefused:
        return


def _searched(text: str) -> dict[str, Any]:
    return {"resourceType": "Bundle", "link": [{"relation": "self", "url": f"http://x/MedicationRequest?{text}"}], "entry": []}


def _chart(pack: Pack, text: str) -> None:
    """Put one text into every string of a draft, a medication and a condition."""
    concept = {"text": text, "coding": [{"system": text, "code": text, "display": text}]}
    named = {"text": "naltrexone", "coding": [{"system": text, "code": text, "display": text}]}
    dosage = {
        "text": text,
        "patientInstruction": text,
        "timing": {"code": {"text": text}},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": text}}],
    }
    draft = {
        "resourceType": "MedicationRequest", "id": text, "status": text, "authoredOn": text, "subject": {"reference": text},
        "medicationCodeableConcept": named, "dosageInstruction": [dosage], "reasonCode": [concept], "note": [{"text": text}],
    }  # fmt: skip
    listed = {**draft, "medicationCodeableConcept": concept}
    problem = {"resourceType": "Condition", "id": text, "code": concept, "clinicalStatus": concept, "onsetDateTime": text}
    source = Source(
        "p1",
        {"entry": [{"fullUrl": text, "resource": draft}]},
        (text,),
        {"activeMedications": {"entry": [{"resource": listed}, {"resource": problem}]}},
    )
    read_chart(source, pack.drugs, pack.conditions, today=TODAY, zone=UTC, history_days=Decimal(60))


def hostile(seed: str, end: str, size: int) -> str:
    """Make a text of one length out of what it repeats and its end."""
    return (seed * (size // len(seed) + 1))[:size] + end


def worst(read: Reader, sizes: Sequence[int]) -> tuple[float, float, str]:
    """Return the CPU seconds for the longest text, the steepest growth at a doubling and the text that it came of."""
    longest, steepest, culprit = 0.0, 0.0, "-"
    for seed, end in product(SEEDS, ENDS):
        times = [_time(read, hostile(seed, end, size), REPEATS) for size in sizes]
        longest = max(longest, times[-1])
        if _growth(times) > SUSPECT and times[-1] < TOO_LONG:  # noise, or the truth? Longer texts tell
            times = [_time(read, hostile(seed, end, LONGER * size), CAREFUL) for size in sizes]
        if _growth(times) > steepest:
            steepest, culprit = _growth(times), f"{seed!r} repeated{f', then {end!r}' if end else ''}"
    return longest, steepest, culprit


def _growth(times: Sequence[float]) -> float:
    """Return by how much the time grew at each doubling, on average; 0 where it is too short to tell."""
    doublings = len(times) - 1
    return float((times[-1] / times[0]) ** (1 / doublings)) if times[0] > UNMEASURED else _last_growth(times)


def _last_growth(times: Sequence[float]) -> float:
    """Return the growth at the last doubling that could be measured."""
    return next((later / earlier for earlier, later in reversed(list(pairwise(times))) if earlier > UNMEASURED), 0.0)


def _time(read: Reader, text: str, repeats: int) -> float:
    """Return the best of several runs; a quick reader is run once."""
    best = _once(read, text)
    for _ in range(repeats - 1 if best > UNMEASURED else 0):
        best = min(best, _once(read, text))
    return best


def _once(read: Reader, text: str) -> float:
    start = time.process_time()
    read(text)
    return time.process_time() - start


def _used(where: str, pattern: re.Pattern[str]) -> Reader:
    """Use a pattern as its module does; as it likes, where the module only hands it on."""
    module, name = where.rsplit(".", 1)
    source = inspect.getsource(importlib.import_module(f"cds_service.{module}"))
    methods = sorted(set(re.findall(rf"\b{name}\.({'|'.join(_USES)})\(", source))) or sorted(_USES)
    return lambda text: [_USES[method](pattern, text) for method in methods]


def main() -> int:
    """Print the table; return 1 where something grows faster than LIMIT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="lengths of the texts, each twice the one before")
    parser.add_argument("--only", default="", help="only what has this in its name")
    wanted = parser.parse_args()
    sizes = [int(size) for size in wanted.sizes.split(",")]
    pack = read_pack(ROOT / "rules", ROOT / "cards")
    every = {**readers(pack), **{f"pattern {name}": _used(name, pattern) for name, pattern in patterns().items()}}
    print(f"{'what':50} {'s for ' + str(sizes[-1]):>12} {'growth':>7}  steepest for")
    failed = 0
    for name, read in every.items():
        if wanted.only in name:
            longest, steepest, culprit = worst(read, sizes)
            failed += steepest > LIMIT
            print(f"{name:50} {longest:12.4f} {steepest:7.2f}  {culprit}{'  <- NOT LINEAR' if steepest > LIMIT else ''}", flush=True)
    print(f"{failed} of {len(every)} not linear")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
