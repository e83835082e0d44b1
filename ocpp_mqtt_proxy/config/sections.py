"""The parts of the configuration: every key below the first level, its default and what is allowed."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from ocpp_mqtt_proxy.config.values import (
    ByConnector,
    ChargePointId,
    ChargerId,
    ChargerVersion,
    ClassName,
    Currency,
    Current,
    Day,
    Days,
    Measurands,
    Money,
    Password,
    Port,
    PresenceRule,
    Priority,
    ProviderId,
    QuirkSwitch,
    Seconds,
    SecurityProfile,
    Spelled,
    TimeOfDay,
    Topic,
    Tree,
    WebSocketUrl,
    WebUrl,
)


class Section(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class IdTag(Section):
    """One of the house's own cards."""

    tag: str = Field(min_length=1, max_length=36)
    name: str = ""


class OwnerTariff(Section):
    """What a kWh costs the owner."""

    currency: Currency = "EUR"
    price_per_kwh: Money = Decimal("0.30")
    price_topic: Topic = ""


class Notify(Section):
    """Which notifications appear in Home Assistant."""

    faults: bool = True
    sessions: bool = True
    logins: bool = True


class Tls(Section):
    """The encrypted port."""

    port: Port = 9443
    certificate: str = ""
    key: str = ""
    client_ca: str = ""


class Http(Section):
    """The port of chargers, API and page."""

    host: str = "0.0.0.0"  # noqa: S104 (chargers connect from the house's network)
    port: Port = 9000
    api_token: SecretStr = SecretStr("")
    tls: Tls = Tls()


class Ingress(Section):
    """The port that Home Assistant's ingress connects to; served only where `enabled`, as the add-on sets it."""

    port: Port = 8099
    allow_from: list[str] = ["172.30.32.2"]
    enabled: bool = False


class Mqtt(Section):
    """The broker, and how we speak on it."""

    host: str = ""
    port: Port = 1883
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False
    ca: str = ""
    client_id: str = ""
    protocol: Annotated[Literal["auto", "5", "3.1.1"], Spelled] = "auto"
    base_topic: Tree = "ocpp"
    discovery_prefix: Tree = "homeassistant"
    discovery: Annotated[Literal["auto", "device", "component", "off"], Spelled] = "auto"
    status_topic: Topic = "homeassistant/status"
    qos: Literal[0, 1, 2] = 1
    show_tags: bool = False

    @model_validator(mode="after")
    def _trees_apart(self) -> Self:
        if self.base_topic.strip("/") == self.discovery_prefix.strip("/"):
            raise ValueError("base_topic and discovery_prefix must differ")
        return self


class HomeAssistant(Section):
    """Home Assistant's API; under the Supervisor both come by themselves."""

    url: WebUrl = ""
    token: SecretStr = SecretStr("")


class Database(Section):
    """Where sessions are kept, and for how long in days; 0: for ever."""

    path: str = "ocpp-mqtt-proxy.db"
    keep_days: Days = 0
    keep_audit_days: Days = 90


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    frames: bool = False


class Charger(Section):
    """One charger. Currents in A per phase, intervals in seconds."""

    id: ChargerId
    name: str = ""
    password: Password = SecretStr("")
    security_profile: SecurityProfile = 0
    version: ChargerVersion = "auto"
    max_current: Current = 32
    connector_max_current: ByConnector = {}
    safe_current: Current = 6
    phases: Literal[1, 2, 3] = 3
    heartbeat_interval: Seconds = 300
    ping_interval: Annotated[int, Field(ge=0, le=86400)] = 30
    meter_interval: Seconds = 30
    measurands: Measurands = "auto"
    quirks: list[QuirkSwitch] = []

    @field_validator("connector_max_current")
    @classmethod
    def _within_the_charger(cls, value: dict[int, float], info: ValidationInfo) -> dict[int, float]:
        most = info.data.get("max_current", inf)
        if above := sorted(number for number, amps in value.items() if amps > most):
            raise ValueError(f"connector {above[0]} has {value[above[0]]:g}; must be at most max_current, {most:g}")
        return value

    @model_validator(mode="after")
    def _passwords(self) -> Self:
        if self.security_profile == 1 and not self.password.get_secret_value():
            raise ValueError("security_profile 1 needs a password")
        return self


class Group(Section):
    """One fuse for several chargers."""

    id: ProviderId
    chargers: list[ChargerId]
    max_current: Current
    house_topic: Topic = ""


class Schedule(Section):
    """When a provider may act, in local time; may cross midnight."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: list[Day] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")


class Period(Section):
    """A price for a part of the day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    price_per_kwh: Money


class Tariff(Section):
    """A provider's prices."""

    currency: Currency = "EUR"
    price_per_kwh: Money = Decimal(0)
    price_per_hour: Money = Decimal(0)
    session_fee: Money = Decimal(0)
    periods: list[Period] = []


class Provider(Section):
    """Rules for a backend or a service."""

    id: ProviderId
    name: str = ""
    token: Password = SecretStr("")
    mqtt: bool = False
    roles: list[ClassName] = ["transactions", "smart_charging"]
    priority: Priority = 0
    presence: PresenceRule | None = None
    schedule: list[Schedule] = []
    max_current: Current | None = None
    tariff: Tariff | None = None


class Service(Section):
    """A CSMS that we connect out to."""

    id: ProviderId
    url: WebSocketUrl
    version: ChargerVersion = "auto"
    auth_type: Literal["none", "basic", "token", "certificate"] = "none"
    token: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    charge_point_id: ChargePointId = ""
    chargers: list[ChargerId] = []
    ca: str = ""
    certificate: str = ""
    key: SecretStr = SecretStr("")
    authority: list[ClassName] = []
    authority_timeout_seconds: Seconds = 5
    authority_down: Literal["accept_known", "accept", "reject"] = "accept_known"
    mirror: Literal["own", "all", "none"] = "own"
    id_tag: str = ""
    identity: dict[str, str] = {}
    allow: list[str] = []
    deny: list[str] = []
    enabled: bool = True
