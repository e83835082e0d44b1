"""What backends must present, and what the configuration says of who may come in by which way (contract §3, §4)."""

from __future__ import annotations

from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.checking import Checker
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.passwords import matches


class Tokens:
    """The backends' tokens. They may be hashed; a plain one is compared in constant time."""

    def __init__(self, config: Config, budget: Budget) -> None:
        self._checker = Checker(budget, lambda given, stored: matches(given.decode("utf-8", "replace"), stored))
        self._tokens = {given.id: given.token.get_secret_value() for given in config.providers}
        self._services = {service.id for service in config.ocpp_services}
        self._open = config.accept_unknown_backends
        self.by_mqtt = frozenset(given.id for given in config.providers if given.mqtt) - self._services

    def is_service(self, provider: str) -> bool:
        """Whether an id is that of a service, and so no backend's."""
        return provider in self._services

    def needs_one(self, provider: str) -> bool:
        """Whether a backend has a token to present."""
        return bool(self._tokens.get(provider))

    async def is_right(self, provider: str, token: str, address: str) -> bool:
        """Whether a backend presented what it must; where nothing is configured, whether such may come in.

        Raises TooManyAttempts.
        """
        stored = self._tokens.get(provider, "")
        if not stored:
            return self._open
        return await self._checker.matches(provider, token.encode(), stored, address)

    def advice(self, provider: str) -> str:
        """What to do where a token is missing or wrong."""
        if self.needs_one(provider):
            return (
                "the token is missing or wrong: send it as Authorization: Bearer, as the password of Basic, or ?token="
            )
        entry = f"providers: [{{id: {provider}, token: SECRET}}]"
        if provider in self._tokens:
            return f"no token is configured for {provider}; set {entry}"
        return f"{provider} is not configured; add {entry}, or set accept_unknown_backends"
