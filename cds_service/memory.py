"""Floor 8: from the settings to the store and what writes to it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import Final

from cds_service.errors import SettingsRefused, StoreUnavailable
from cds_service.observe import log_trouble
from cds_service.settings import Settings
from cds_service.store.engine import Store, database_url
from cds_service.store.feedback import FeedbackBook
from cds_service.store.key import installation_key, passing_key
from cds_service.store.marks import OverrideMarks
from cds_service.store.recorder import Caller, Recorder
from cds_service.store.replay import DatabaseReplayMemory
from cds_service.store.writer import DecisionWriter
from cds_service.tally import Tally

_TOKEN_SECONDS: Final = 1.0
"""How long a call may wait for the shared memory of tokens before the one of the process has to do."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the service remembers with: feedback at once, decisions behind the call, tokens that were used."""

    recorder: Recorder
    feedback: FeedbackBook
    tokens: DatabaseReplayMemory
    store: Store
    """Where decisions and feedback are read again."""
    overrides: OverrideMarks | None = None
    """What clinicians overrode, where the settings say that it is respected."""


def open_store(settings: Settings) -> Store:
    """Prepare the store that the settings name; nothing is opened yet. Raises SettingsRefused where its driver is missing."""
    url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
    if url.get_backend_name() == "postgresql" and find_spec("psycopg") is None:
        raise SettingsRefused(
            "SET-005 CDS_DATABASE_URL: found PostgreSQL, but not the package 'psycopg'; expected this package installed with its extra 'postgres'"
        )
    return Store(url, migrates=settings.migrate_database, report=lambda what: log_trouble("store", what))


def open_memory(settings: Settings, caller: Callable[[], Caller], tally: Tally | None = None) -> Memory:
    """Prepare the store for the service and bring its tables up to date; where that fails, the service advises all the same.

    `tally` counts what becomes of decisions.
    """
    store = open_store(settings)
    if settings.migrate_database:
        with suppress(StoreUnavailable):  # it was reported, and is tried again when it is needed
            store.migrate()
        store.close()
    key = installation_key(settings.data_dir)
    if key is None:
        log_trouble("store", "no key of digests can be kept in CDS_DATA_DIR: digests of this process match no other's")
    writer = DecisionWriter(store, report=lambda what: log_trouble("store", what), tally=tally)
    tokens = Store(store.url, migrates=settings.migrate_database, is_durable=False, patience=_TOKEN_SECONDS)
    key = key or passing_key()
    lasts = timedelta(hours=settings.override_hours)
    recorder = Recorder(writer, key, caller, with_user=settings.record_users, override_lasts=lasts)
    marks = OverrideMarks(store, key, lambda: caller().client) if settings.respect_overrides else None
    return Memory(recorder, FeedbackBook(store), DatabaseReplayMemory(tokens), store, marks)
