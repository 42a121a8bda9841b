"""Work in the background that one process at a time does for all: whose turn it is stands in the database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, update

from cds_service.store.engine import Store, insert_new
from cds_service.store.schema import chores

_TURN: Final = timedelta(minutes=5)
"""How long nobody else takes over from a process that no longer says that it goes on."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Turn:
    """The turn of this process at a chore, by the clock of this machine; raises StoreUnavailable."""

    store: Store
    name: str
    _began: datetime = field(default=_NEVER, init=False)
    _until: datetime = field(default=_NEVER, init=False)

    def begins(self, now: datetime) -> bool:
        """Take the turn, unless another process has it."""
        self._began, self._until = now, now + _TURN

        def take(connection: Connection) -> bool:
            connection.execute(insert_new(connection, chores), {"name": self.name, "busy_until": _NEVER, "done_up_to": None})
            return self._set(connection, chores.c.busy_until <= now, busy_until=self._until)

        return self.store.write(take)

    def goes_on(self) -> None:
        """Keep the turn while the work lasts."""
        if datetime.now(UTC) > self._until - _TURN / 2:
            before, self._until = self._until, datetime.now(UTC) + _TURN
            self.store.write(lambda connection: self._set(connection, chores.c.busy_until == before, busy_until=self._until))

    def done_up_to(self) -> datetime | None:
        """Return up to which moment the work was done when it was last finished; None where it never was."""
        return self.store.read(
            lambda connection: connection.execute(select(chores.c.done_up_to).where(chores.c.name == self.name)).scalar()
        )

    def ends(self, done_up_to: datetime | None) -> None:
        """Give the turn back; `done_up_to` is left as it was where the work was not finished."""
        done = {"done_up_to": done_up_to} if done_up_to else {}
        self.store.write(lambda connection: self._set(connection, chores.c.busy_until == self._until, busy_until=self._began, **done))

    def _set(self, connection: Connection, condition: Any, **values: Any) -> bool:  # noqa: ANN401 - a condition, and columns of chores
        return connection.execute(update(chores).where(chores.c.name == self.name, condition).values(**values)).rowcount == 1
