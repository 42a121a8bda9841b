"""Feed the readers of what strangers send with bytes that atheris makes up; ends by itself, and with an error on a finding.

`uv pip install atheris` (it is in no lock file), then `python -m benchmarks.fuzz_readers [SECONDS] [--reader NAME]`. SECONDS (60) are for each
reader: whole calls, feedback, key sets, tokens behind a signature that is taken for good, dosing texts. Coverage of what they use guides it.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from cds_service.errors import RequestRefused

# ruff: noqa: PLC0415 - imports stand in functions so that atheris can instrument them

ROOT = Path(__file__).parent.parent
_SECONDS = 60
_LONGEST = 20_000
_URL = "https://cds.example/cds-services"
_KEY = {"kty": "EC", "crv": "P-384", "kid": "k", "use": "sig", "alg": "ES384", "x": "A" * 64, "y": "A" * 64}
_CLAIMS = {"iss": "https://ehr.example", "aud": _URL, "iat": 1_000, "exp": 1_200, "jti": "a"}


@cache
def _advisor() -> Any:  # noqa: ANN401 - a PackAdvisor
    """Load the shipped rules, once."""
    from cds_service.advisor import PackAdvisor
    from cds_service.pack import read_pack
    from cds_service.service import Wishes

    noon = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    return PackAdvisor(read_pack(ROOT / "rules", ROOT / "cards"), ZoneInfo("UTC"), Wishes(), lambda: noon)


@cache
def _check() -> Any:  # noqa: ANN401 - a TokenCheck
    """Make a check of tokens that takes each signature for good, so that what lies behind it is reached."""
    from cds_service.clients.registry import Client, Registry
    from cds_service.clients.replay import ProcessMemory
    from cds_service.clients.tokens import TokenCheck

    class Trusting(TokenCheck):
        def _check_signature(self, token: Any, client: Client) -> None:  # noqa: ANN401, ARG002 - as there
            from cds_service.clients.tokens import _signed_with

            _signed_with(token.header)

    registry = Registry((Client("ehr", "https://ehr.example"),))
    return Trusting(registry, None, ProcessMemory(), 60, lambda: 1_100.0)  # type: ignore[arg-type]


def read_call(body: bytes) -> None:
    """Read and judge one body as the service does; anything but a refusal or an answer is a finding."""
    from cds_service.hooks.parse import read_call as read

    try:
        call = read(body, "order-sign")
    except RequestRefused:
        return
    _advisor().decide(call)


def read_feedback(body: bytes) -> None:
    """Read feedback."""
    from cds_service.hooks.feedback import read_feedback as read

    try:
        read(body)
    except RequestRefused:
        return


def read_keys(text: bytes) -> None:
    """Read a key set."""
    from cds_service.clients.keys import KeySetRefused, read_key_set

    try:
        read_key_set(text)
    except KeySetRefused:
        return


def read_token(parts: bytes) -> None:
    """Read a token whose header and claims are parted by a line end; other bytes are the header as sent."""
    from cds_service.clients.tokens import TokenRefused

    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts.split(b"\n", 1)]
    header = f"Bearer {'.'.join((*encoded, 'AAAA'))}" if len(encoded) > 1 else parts.decode("latin-1")
    try:
        _check().client_of(header, (_URL,))
    except TokenRefused:
        return


def read_text(text: bytes) -> None:
    """Read a dosing text."""
    from cds_service.facts.sig import read_sig

    read_sig(text.decode("utf-8", "replace"), _advisor().pack.context.drug_words)


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value, separators=(",", ":")).encode() for value in values]


def _recorded(kind: str) -> list[bytes]:
    paths = sorted((ROOT / "fixtures" / kind).glob("*.json"))
    return [*(path.read_bytes() for path in paths), *_json(*(json.loads(path.read_bytes()) for path in paths))]


def _sigs() -> list[bytes]:
    corpus = YAML(typ="safe").load((ROOT / "tests" / "sig_corpus.yaml").read_text(encoding="utf-8"))
    return [str(text).encode() for text in _texts(corpus)]


def _texts(value: object) -> Iterable[str]:
    """Give the texts of a corpus, whatever stands around them."""
    for one in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        if isinstance(one, str):
            yield one
        else:
            yield from _texts(one)


READERS: Final[dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]]] = {
    "calls": (read_call, lambda: _recorded("calls")),
    "feedback": (read_feedback, lambda: _recorded("feedback")),
    "keys": (read_keys, lambda: _json({"keys": [_KEY]}, {"keys": [{"kty": "RSA", "kid": "r", "n": "A" * 344, "e": "AQAB"}]})),
    "tokens": (read_token, lambda: [b"\n".join(_json({"alg": "ES384", "kid": "k", "typ": "JWT"}, _CLAIMS)), b"Bearer a.b.c"]),
    "sig": (read_text, _sigs),
}
"""What reads, and where atheris starts."""


def _fuzz(name: str, folder: str, seconds: int) -> None:
    """Run atheris; it ends the process itself."""
    atheris = import_module("atheris")  # optional: where it is not installed the program ends here

    read, seeds = READERS[name]
    with atheris.instrument_imports(include=["cds_service.fhir", "cds_service.hooks", "cds_service.clients", "cds_service.facts"]):
        for seed in seeds()[:3]:
            read(seed)
    bounds = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *bounds, folder], read)
    atheris.Fuzz()


def main() -> int:
    """Fuzz each reader in a process of its own, with a limit of time; returns how many ended with a finding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=int, default=_SECONDS)
    parser.add_argument("--reader", choices=READERS, help="only this one")
    parser.add_argument("--in", dest="folder", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        _fuzz(asked.reader, asked.folder, asked.seconds)
    found = 0
    for name in [asked.reader] if asked.reader else READERS:
        print(f"reader of {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for number, seed in enumerate(READERS[name][1]()):
                (Path(folder) / f"{number}").write_bytes(seed)
            run = [sys.executable, "-m", "benchmarks.fuzz_readers", str(asked.seconds), "--reader", name, "--in", folder]
            found += subprocess.run(run, cwd=ROOT, timeout=asked.seconds + 120, check=False).returncode != 0
    print(f"{found} of the readers ended with a finding")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
