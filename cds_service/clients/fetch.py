"""Floor 7: gets the text of a client's key set from where the registry says, and from nowhere else."""

import time
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from cds_service import __version__
from cds_service.clients.keys import LARGEST_KEY_SET, KeySetRefused
from cds_service.clients.registry import Client

_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=3.0)
_SECONDS_IN_ALL: Final = 8.0
_CHUNK: Final = 1 << 14
_OK: Final = 200
_POOL: Final = urllib3.PoolManager(
    num_pools=8,
    maxsize=1,
    retries=False,
    timeout=_TIMEOUT,
    cert_reqs="CERT_REQUIRED",
    headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"cds-service/{__version__}"},
)
"""One pool: certificates are checked, nothing is sent twice, and no proxy variable of the environment leads elsewhere."""


def read_source(client: Client) -> bytes:
    """Return the text of a client's key set from its file or its address; raises KeySetRefused, which tells the reason."""
    return _read_file(client) if client.jwks_file else fetch(client.jwks_url)


def _read_file(client: Client) -> bytes:
    try:
        with open(client.jwks_file or "", "rb") as file:  # noqa: PTH123 - bounded read
            return _bounded(file.read(LARGEST_KEY_SET + 1))
    except OSError as error:
        raise KeySetRefused(f"CLIENT-020 the key set file cannot be read ({error.strerror})") from None


def fetch(url: str) -> bytes:
    """GET a key set: no redirect, status 200 alone, no content coding, bounded in bytes and time; raises KeySetRefused."""
    try:
        response = _POOL.request("GET", url, redirect=False, preload_content=False, decode_content=False)
    except (HTTPError, OSError) as error:
        raise KeySetRefused(f"CLIENT-021 the key server gave no answer ({type(error).__name__})") from error
    try:
        if response.status != _OK or response.headers.get("Content-Encoding", "identity") != "identity":
            raise KeySetRefused(f"CLIENT-021 the key server answered with status {response.status}, or compressed; expected a plain 200")
        return _body(response)
    finally:
        response.close()


def _body(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read piece by piece, so that a server which drips cannot keep the reader for long."""
    ends, body = time.monotonic() + _SECONDS_IN_ALL, b""
    try:
        while len(body) <= LARGEST_KEY_SET and (piece := response.read1(_CHUNK)):
            body += piece
            if time.monotonic() > ends:
                raise KeySetRefused("CLIENT-021 the key server was too slow")
    except (HTTPError, OSError) as error:
        raise KeySetRefused(f"CLIENT-021 the key server broke off ({type(error).__name__})") from None
    return _bounded(body)


def _bounded(body: bytes) -> bytes:
    if len(body) > LARGEST_KEY_SET:
        raise KeySetRefused(f"CLIENT-020 the key set has more than {LARGEST_KEY_SET} bytes")
    return body
