"""The store as everybody asks it: sessions in pages, totals, a month's report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from ocpp_mqtt_proxy import monthly
from ocpp_mqtt_proxy.adapters.store import Filter, Page, Store, Wanted
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.ports import Clock, LedgerFailed

TOGETHER = 500
"""Sessions that are read at once of a long list."""


@dataclass
class Books:
    """What is in the store, with the latest readings where they can be written down. Months are those of `zone`.

    `names` are of cards, by their tags in small letters.
    """

    store: Store
    clock: Clock
    zone: tzinfo
    names: Mapping[str, str]

    async def page(self, **wanted: Any) -> Page:  # noqa: ANN401
        """A page of sessions."""
        await self._catch_up()
        return await self.store.sessions(Filter.of(**wanted))

    def every(self, **wanted: Any) -> AsyncIterator[Session]:  # noqa: ANN401
        """Every session that passes."""
        return self.store.all_sessions(Filter.of(**wanted, limit=TOGETHER))

    async def totals(self, by: str, **wanted: Any) -> tuple[list[Sum], bool]:  # noqa: ANN401
        """Totals, and whether all sessions are in them."""
        return await self.store.totals.sums(Wanted(by, **wanted)), await self.store.totals.are_complete()

    async def month(self, month: str) -> monthly.Month:
        """A month's report as it stands. Raises BadMonth."""
        since, until = monthly.bounds(month, self.zone)
        await self._catch_up()
        return await monthly.collect(month, self.zone, self.every(since=since, until=until), self.names)

    async def use_login(self, code_hash: str) -> bool:
        """Whether a one-time login is good."""
        return await self.store.logins.use(code_hash, self.clock.now())

    async def _catch_up(self) -> None:
        with suppress(LedgerFailed):
            await self.store.flush()
