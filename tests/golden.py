"""Writes what the service answers to each request of fixtures/calls into fixtures/golden: `python -m tests.golden`.

A changed golden file shows in review what clinicians will read differently. uuids are replaced by their order of appearance.
"""

import json
import re
from pathlib import Path

from tests.clinic import Json

ROOT = Path(__file__).parent.parent
CALLS = sorted((ROOT / "fixtures/calls").glob("*.json"))
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def golden_file(call: Path) -> Path:
    """Where the answer to a call is kept."""
    return ROOT / "fixtures/golden" / call.name


def golden_text(answer: Json) -> str:
    """The answer as kept: readable, with uuids numbered."""
    seen: dict[str, str] = {}
    text = json.dumps(answer, indent=1, ensure_ascii=False)
    return _UUID.sub(lambda found: seen.setdefault(found.group(), f"uuid-{len(seen) + 1}"), text) + "\n"


def main() -> None:
    """Write all golden files anew."""
    from cds_service.pack import read_pack  # noqa: PLC0415 - only the command needs the program
    from tests.conftest import service_client  # noqa: PLC0415

    client = service_client(read_pack(ROOT / "rules", ROOT / "cards"))
    for call in CALLS:
        request = json.loads(call.read_text(encoding="utf-8"))
        response = client.post(f"/cds-services/naltrexone-{request['hook']}", json=request)
        golden_file(call).write_text(golden_text(response.get_json()), encoding="utf-8")


if __name__ == "__main__":
    main()
