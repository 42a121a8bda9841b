"""Floor 7: requests over the network: no redirect, no second try, bounded in time and size."""

import time
from collections.abc import Mapping
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from cds_service.doctor.port import Reply

_SECONDS: Final = 30.0
_MOST: Final = 16 * 1024 * 1024


class Wire:
    """Sends requests as doctor's port asks; proxies of the environment have no effect."""

    def __init__(self, ca_file: str | None = None) -> None:
        """Trust the system's certificate authorities, or those of a PEM file."""
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=_SECONDS), ca_certs=ca_file)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request; where nothing comes back the reply says why."""
        started = time.perf_counter()
        try:
            response = self._pool.request(method, url, body=body, headers=headers, redirect=False, preload_content=False)
            content = response.read(_MOST)
            response.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            return Reply(0, ms=_since(started), trouble=type(error).__name__)
        return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, content, _since(started))


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
