"""Floor 7: settings become the registry in force and the check of tokens."""

from collections.abc import Callable
from importlib import import_module
from urllib.parse import urlsplit

from cds_service.clients.fetch import read_source
from cds_service.clients.keys import KeySetRefused, KeySets, read_key_set
from cds_service.clients.registry import Client, ClientsRefused, Registry, read_registry
from cds_service.clients.replay import ProcessMemory, ReplayMemory, SharedMemory
from cds_service.clients.tokens import TokenCheck
from cds_service.settings import Settings


def registry_in_force(settings: Settings) -> Registry | None:
    """Return the registry of the settings, None in development; raises ClientsRefused for what would let nobody in."""
    if settings.clients_file is None:
        return None
    registry = read_registry(settings.clients_file)
    told = [f"{settings.clients_file} '{client.name}': {reason}" for client in registry.clients if (reason := _lacks_keys(client))]
    if not urlsplit(settings.public_url).hostname:
        told.append("CLIENT-007 CDS_PUBLIC_URL: found ''; expected the address that clients call: their tokens name it")
    if told:
        raise ClientsRefused("\n".join(told))
    return registry


def token_check(
    registry: Registry, settings: Settings, shared: ReplayMemory | None, report: Callable[[str], None] = lambda _: None
) -> TokenCheck:
    """Make the check of tokens; `shared` remembers used ones across processes, unless the settings name a Redis for that.

    `report` hears when that memory goes away and comes back.
    """
    memory = _redis(settings.replay_redis_url.get_secret_value()) or shared
    used = SharedMemory(memory, report=report) if memory else ProcessMemory()
    return TokenCheck(registry, KeySets(read_source, float(settings.key_set_seconds)), used, settings.token_leeway_seconds)


def _lacks_keys(client: Client) -> str:
    """Say why a client's key set file gives no key; a file is at hand, so that this shows at the start."""
    try:
        keys = read_key_set(read_source(client)) if client.jwks_file else None
    except KeySetRefused as error:
        return str(error)
    if keys is None or any(algorithm in client.algorithms for _, algorithm in keys):
        return ""
    return f"CLIENT-022 {client.jwks_file} has no key with a 'kid' for {', '.join(client.algorithms)}"


def _redis(url: str) -> ReplayMemory | None:
    """Connect where an address is given; the library is needed for that alone."""
    if not url:
        return None
    try:
        module = import_module("cds_service.clients.redis_memory")
    except ModuleNotFoundError:
        raise ClientsRefused("CLIENT-023 CDS_REPLAY_REDIS_URL needs the package 'redis' (an extra of this one, docs/clients.md)") from None
    memory: ReplayMemory = module.RedisMemory(url)
    return memory
