"""Floor 8: the options by which `call` and `doctor` play a client that a service knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from jwt.exceptions import PyJWTError

from cds_service.clients.members import ASYMMETRIC
from cds_service.doctor.port import Authorize
from cds_service.doctor.trust import Signer

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def plays_a_client(command: Command) -> Command:
    """Give a command the options that say whose tokens it sends, and which certificates it trusts."""
    options = (
        click.option("--key", type=_FILE, help="Private key (PEM) of a client that the service knows: tokens are signed with it."),
        click.option("--issuer", default="", help="'iss' of those tokens."),
        click.option("--kid", default="", help="'kid' of those tokens."),
        click.option("--algorithm", type=click.Choice(ASYMMETRIC), default="ES384", show_default=True, help="'alg' of those tokens."),
        click.option("--tenant", default="", help="'tenant' of those tokens, where clients share an issuer."),
        click.option("--ca-file", type=_FILE, help="Certificates to trust instead of the system's."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def signer_of(key: Path | None, issuer: str, kid: str, algorithm: str, tenant: str) -> Authorize | None:
    """Make the tokens of the client that is played; without a key there are none. Raises UsageError for what makes no token."""
    if key is None:
        return None
    if not (issuer and kid):
        raise click.UsageError("--key needs --issuer and --kid: the service finds the public key by them")
    try:
        signer = Signer(key.read_text(encoding="utf-8"), issuer, kid, algorithm, tenant)
        signer("")
    except (PyJWTError, ValueError, TypeError, OSError):
        raise click.UsageError(
            f"--key: found no private key for {algorithm}; expected one in PEM without password, or another --algorithm"
        ) from None
    return signer


def http_address(_: click.Context, __: click.Parameter, value: str) -> str:
    """Take an address that can be called; raises BadParameter for another."""
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_one = False
    if not is_one:
        raise click.BadParameter("expected an address that begins with http:// or https://")
    return value
