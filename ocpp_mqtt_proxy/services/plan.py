"""What the configuration says of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.config.sections import Service
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.sharing import ControlClass


class Mirroring(StrEnum):
    """Whose transactions a service is told of."""

    OWN = "own"
    ALL = "all"
    NONE = "none"


class WhileDown(StrEnum):
    """What holds of cards while a service with authority cannot be asked."""

    ACCEPT_KNOWN = "accept_known"
    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we show a service who we are. Files are paths, PEM."""

    kind: Literal["none", "basic", "token", "certificate"] = "none"
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service. `version` None: the first of those that we offer. `patience` with it as an authority in seconds.

    `allow` and `deny` hold actions, and configuration keys as `ChangeConfiguration:KEY`.
    """

    id: str
    url: str
    version: Version | None = None
    credentials: Credentials = Credentials()
    identities: str | Mapping[str, str] = ""
    chargers: frozenset[str] = frozenset()
    authority: frozenset[ControlClass] = frozenset()
    patience: float = 5.0
    while_down: WhileDown = WhileDown.ACCEPT_KNOWN
    mirror: Mirroring = Mirroring.OWN
    id_tag: str = ""
    nameplate: Mapping[str, str] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    enabled: bool = True

    def sees(self, charger_id: str) -> bool:
        """Whether it is told of a charger."""
        return not self.chargers or charger_id in self.chargers

    def identity(self, charger_id: str) -> str:
        """What a charger is called there."""
        given = self.identities if isinstance(self.identities, str) else self.identities.get(charger_id, "")
        return given or charger_id

    def address(self, charger_id: str) -> str:
        """Where to dial for a charger: its identity stands for `{charger}`, else it is the last part of the path.

        Where `charge_point_id` is one string and the url ends in it already, nothing is added.
        """
        identity = quote(self.identity(charger_id), safe="")
        if "{charger}" in self.url:
            return self.url.replace("{charger}", identity)
        bare, mark, query = self.url.partition("?")
        path = bare.rstrip("/")
        if path.rpartition("/")[2] != identity:
            path = f"{path}/{identity}"
        return path + mark + query

    @property
    def mirrors(self) -> Mirroring:
        """Whose transactions it is told of; one that has the say over transactions hears of all."""
        return Mirroring.ALL if ControlClass.TRANSACTIONS in self.authority else self.mirror


def plans_of(config: Config) -> list[ServicePlan]:
    """The services of a configuration."""
    return [_plan_of(given) for given in config.ocpp_services]


def _plan_of(given: Service) -> ServicePlan:
    return ServicePlan(
        id=given.id,
        url=given.url,
        version=None if given.version == "auto" else Version(given.version),
        credentials=Credentials(
            kind=given.auth_type,
            username=given.username,
            password=given.password.get_secret_value(),
            token=given.token.get_secret_value(),
            ca=given.ca,
            certificate=given.certificate,
            key=given.key.get_secret_value(),
        ),
        identities=given.charge_point_id,
        chargers=frozenset(given.chargers),
        authority=frozenset(ControlClass(name) for name in given.authority),
        patience=given.authority_timeout_seconds,
        while_down=WhileDown(given.authority_down),
        mirror=Mirroring(given.mirror),
        id_tag=given.id_tag,
        nameplate=given.identity,
        allow=frozenset(given.allow),
        deny=frozenset(given.deny),
        enabled=given.enabled,
    )
