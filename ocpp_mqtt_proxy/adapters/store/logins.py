"""Links to log in with, each good once."""

from __future__ import annotations

from datetime import datetime

from ocpp_mqtt_proxy.adapters.store import rows
from ocpp_mqtt_proxy.adapters.store.connections import as_ledger_failed
from ocpp_mqtt_proxy.adapters.store.writing import Scribe


class Logins:
    """The one-time logins in the store, by the hashes of their codes."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe

    async def add(self, token_hash: str, expires: datetime) -> None:
        """Keep a one-time login; expired ones go. Raises LedgerFailed."""
        await self._scribe.write(
            [
                ("DELETE FROM login WHERE expires_at < ?", (rows.text_of(datetime.now(expires.tzinfo)),)),
                ("INSERT INTO login (token_hash, expires_at) VALUES (?, ?)", (token_hash, rows.text_of(expires))),
            ]
        )

    async def use(self, token_hash: str, now: datetime) -> bool:
        """Whether a one-time login is good; it is used up by that. Raises LedgerFailed."""
        sql = "DELETE FROM login WHERE token_hash = ? AND expires_at >= ?"
        with as_ledger_failed():
            return await self._scribe.change(sql, (token_hash, rows.text_of(now))) == 1
