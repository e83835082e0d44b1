"""Chargers' passwords: how they write them, and which one counts."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field

from ocpp_mqtt_proxy import renewal
from ocpp_mqtt_proxy.adapters.chargers.handshake import Credentials, Visit
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.checking import Checker
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.memory import Renewed
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.passwords import matches
from ocpp_mqtt_proxy.ports import LedgerFailed

_HEX_KEY = re.compile(r"[0-9A-Fa-f]{40}")


def any_reading(given: bytes, stored: str) -> bool:
    """A password may be text, or the 20-byte key that the stored one spells in hex, raw or in hex (J §6, W)."""
    text = given.decode("utf-8", "replace")
    readings = {text, given.hex(), given.hex().upper()}
    if _HEX_KEY.fullmatch(text):
        readings |= {text.lower(), text.upper()}
    return any(matches(reading, stored) for reading in sorted(readings))


@dataclass
class Passwords:
    """Judges the credentials of chargers: by the configuration, or by what they were given since."""

    hub: Hub
    config: Config
    budget: Budget
    _checker: Checker = field(init=False)
    _same: dict[str, tuple[tuple[str, str], bool]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._checker = Checker(self.budget, any_reading)

    async def are_right(self, guest: Visit, address: str) -> bool | None:
        """Whether the credentials are right; None where none are asked for (security profile 0).

        Raises TooManyAttempts.
        """
        name, given = guest.charger_id, guest.credentials or Credentials("", b"")
        configured = self._configured(name)
        renewed = await self._renewed(name, configured)
        asked = configured if renewed is None or renewed.before is None else renewed.before
        if renewed is None or not renewed.proven:
            if asked and await self._checker.matches(name, given.password, asked, address):
                return given.user == name
            if renewed is None:
                return False if asked else None
        if await self._checker.matches(name, given.password, renewed.password, address):
            return given.user == name and await self._proven(name, renewed)
        return False if asked or renewed.proven else None

    def _configured(self, charger_id: str) -> str:
        configured = self.config.charger(charger_id)
        return configured.password.get_secret_value() if configured else ""

    async def _renewed(self, charger_id: str, configured: str) -> Renewed | None:
        """What it was given since. A password that is configured anew counts for itself."""
        station = self.hub.stations.get(charger_id)
        renewed = station.memory.renewed if station else None
        if station is None or renewed is None or await self._is_still(charger_id, configured, renewed.instead_of):
            return renewed
        with suppress(LedgerFailed):  # it holds all the same, and is written as soon as it can be
            await renewal.keep(self.hub, station, None)
        return None

    async def _is_still(self, charger_id: str, configured: str, hashed: str) -> bool:
        key = (configured, hashed)
        known = self._same.get(charger_id)
        if known is None or known[0] != key:
            known = self._same[charger_id] = key, await asyncio.to_thread(matches, configured, hashed)
        return known[1]

    async def _proven(self, charger_id: str, renewed: Renewed) -> bool:
        """It has come with it: from now on no other counts."""
        if not renewed.proven:
            with suppress(LedgerFailed):  # as above
                await renewal.prove(self.hub, self.hub.station(charger_id))
        return True
