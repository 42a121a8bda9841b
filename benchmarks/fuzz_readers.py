"""Feed the readers of requests with bytes that atheris makes up, for a minute; ends by itself, and with an error on a finding.

`uv pip install atheris` (it is in no lock file), then `python -m benchmarks.fuzz_readers [SECONDS]`. Coverage of hooks/parse.py,
fhir/reading.py and what they use guides it; the recorded requests are where it starts.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.errors import RequestRefused

ROOT = Path(__file__).parent.parent
_SECONDS = 60
_LONGEST = 20_000


@cache
def _advisor() -> Any:  # noqa: ANN401 - a PackAdvisor, imported below
    """Load the shipped rules, once; imports stand here so that atheris can instrument them."""
    from cds_service.advisor import PackAdvisor  # noqa: PLC0415
    from cds_service.pack import read_pack  # noqa: PLC0415
    from cds_service.service import Wishes  # noqa: PLC0415

    noon = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    return PackAdvisor(read_pack(ROOT / "rules", ROOT / "cards"), ZoneInfo("UTC"), Wishes(), lambda: noon)


def read(body: bytes) -> None:
    """Read and judge one body as the service does; anything but a refusal or an answer is a finding."""
    from cds_service.hooks.parse import read_call  # noqa: PLC0415 - as above

    try:
        call = read_call(body, "order-sign")
    except RequestRefused:
        return
    _advisor().decide(call)


def _fuzz(folder: str, seconds: int) -> None:
    """Run atheris; it ends the process itself."""
    atheris = import_module("atheris")  # optional: where it is not installed the program ends here

    with atheris.instrument_imports(include=["cds_service.fhir", "cds_service.hooks"]):
        _advisor()
    bounds = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *bounds, folder], read)
    atheris.Fuzz()


def main() -> None:
    """Start from the recorded requests, in a process of its own with a limit of time."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    with tempfile.TemporaryDirectory() as folder:
        for path in (ROOT / "fixtures/calls").glob("*.json"):
            shutil.copy(path, folder)
            compact = json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))
            (Path(folder) / f"compact-{path.name}").write_text(compact, encoding="utf-8")
        run = [sys.executable, "-m", "benchmarks.fuzz_readers", "--in", folder, str(seconds)]
        sys.exit(subprocess.run(run, cwd=ROOT, timeout=seconds + 60, check=False).returncode)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        _fuzz(sys.argv[2], int(sys.argv[3]))
    else:
        main()
