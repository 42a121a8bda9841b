"""Floor 7: codes on orders that no table knows although the name beside them does: candidates for the drug tables."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, func, select

from cds_service.analytics.report import Filters, Window
from cds_service.analytics.usage import ALL
from cds_service.store.engine import Store
from cds_service.store.schema import unknown_codes

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """A code that no table knows on orders whose name told the drug `word` (the service's own name); counts by UTC days.

    `system` and `code` are empty where the order had no code that is safe to keep; `word` ends with "?" where the name is only nearly one.
    """

    system: str
    code: str
    word: str
    orders: int
    first_seen: date
    last_seen: date


def codes(store: Store, window: Window, filters: Filters = ALL) -> tuple[UnknownCode, ...]:
    """Count the unknown codes of a window, most frequent first, 200 at most; of the filters only `client` counts. Raises StoreUnavailable."""
    return store.read(lambda connection: _codes(connection, window, filters))


def _codes(connection: Connection, window: Window, filters: Filters) -> tuple[UnknownCode, ...]:
    keys = (unknown_codes.c.system, unknown_codes.c.code, unknown_codes.c.word)
    orders = func.sum(unknown_codes.c.orders)
    query = select(*keys, orders.label("orders"), func.min(unknown_codes.c.day).label("first"), func.max(unknown_codes.c.day).label("last"))
    query = query.where(unknown_codes.c.day.between(window.first, window.last)).group_by(*keys).order_by(orders.desc(), *keys).limit(_MOST)
    if filters.client is not None:
        query = query.where(unknown_codes.c.client == filters.client)
    return tuple(UnknownCode(row.system, row.code, row.word, row.orders, row.first, row.last) for row in connection.execute(query))
