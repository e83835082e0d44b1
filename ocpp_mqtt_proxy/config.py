"""The configuration (contract §3): every key, its default and what is allowed.

Frozen, unknown keys forbidden. `load` reads the file and the environment; a bad configuration raises
`BadConfiguration`, which says for each fault where it is, what is wrong and what is allowed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ocpp_mqtt_proxy.core.model import RESERVED_IDS, Version

TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def _spelled_out(value: object) -> object:
    """YAML reads `1.6` as a number and `off` as false; here both are words."""
    if value is False:
        return "off"
    return value if isinstance(value, str | list | dict) else str(value)


def _slug(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise ValueError("must be made of letters, digits, _ and -")
    return value


def _not_reserved(value: str) -> str:
    if value.lower() in RESERVED_IDS:
        raise ValueError(f"is reserved; not allowed: {', '.join(sorted(RESERVED_IDS))}")
    return value


def _time_of_day(value: str) -> str:
    if not TIME_OF_DAY.fullmatch(value):
        raise ValueError("must be a time of day, HH:MM")
    return value


def _spoken(value: str) -> str:
    if value == Version.V21:
        raise ValueError("OCPP 2.1 is not spoken yet; allowed: 1.6, 2.0.1, auto")
    return value


def _topic(value: str) -> str:
    if any(character in value for character in "+#\0") or value.startswith("$"):
        raise ValueError("must be an MQTT topic without wildcards")
    return value


def _accept_unknown(value: object) -> object:
    words = {"first": "first", "true": True, "false": False, "off": False}
    word = str(value).lower()
    if word not in words:
        raise ValueError("must be first, true or false")
    return words[word]


def _measurands(value: object) -> object:
    if value in ("auto", "keep") or (isinstance(value, list) and all(isinstance(m, str) for m in value)):
        return value
    raise ValueError("must be auto, keep or a list of measurands")


Spelled = BeforeValidator(_spelled_out)
ProviderId = Annotated[str, AfterValidator(_slug), AfterValidator(_not_reserved)]
ChargerId = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_not_reserved)]
Topic = Annotated[str, AfterValidator(_topic)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
VersionWord = Annotated[Literal["1.6", "2.0.1", "2.1"], Spelled, AfterValidator(_spoken)]
ChargerVersion = Annotated[Literal["1.6", "2.0.1", "2.1", "auto"], Spelled, AfterValidator(_spoken)]
AcceptUnknown = Annotated[bool | Literal["first"], BeforeValidator(_accept_unknown)]
Measurands = Annotated[Literal["auto", "keep"] | list[str], BeforeValidator(_measurands)]
Port = Annotated[int, Field(ge=1, le=65535)]
Current = Annotated[float, Field(ge=0, le=1000)]
Seconds = Annotated[int, Field(ge=1, le=86400)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
PresenceRule = Literal["any", "home", "away"]
ClassName = Literal["transactions", "smart_charging", "management"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


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
    base_topic: Annotated[Topic, Field(min_length=1)] = "ocpp"
    discovery_prefix: Annotated[Topic, Field(min_length=1)] = "homeassistant"
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

    url: str = ""
    token: SecretStr = SecretStr("")


class Database(Section):
    """Where sessions are kept, and for how long in days; 0: for ever."""

    path: str = "ocpp-mqtt-proxy.db"
    keep_days: int = Field(default=0, ge=0)
    keep_audit_days: int = Field(default=90, ge=0)


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    frames: bool = False


class Charger(Section):
    """One charger. Currents in A per phase, intervals in seconds."""

    id: ChargerId
    name: str = ""
    password: SecretStr = SecretStr("")
    security_profile: Literal[0, 1] = 0
    version: ChargerVersion = "auto"
    max_current: Current = 32
    safe_current: Current = 6
    phases: Literal[1, 2, 3] = 3
    heartbeat_interval: Seconds = 300
    ping_interval: Annotated[int, Field(ge=0, le=86400)] = 30
    meter_interval: Seconds = 30
    measurands: Measurands = "auto"
    quirks: list[str] = []

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
    token: SecretStr = SecretStr("")
    mqtt: bool = False
    roles: list[ClassName] = ["transactions", "smart_charging"]
    priority: int = 0
    presence: PresenceRule | None = None
    schedule: list[Schedule] = []
    max_current: Current | None = None
    tariff: Tariff | None = None


class Service(Section):
    """A CSMS that we connect out to."""

    id: ProviderId
    url: str = Field(pattern=r"^wss?://")
    version: Annotated[Literal["1.6", "2.0.1", "2.1", "auto"], Spelled] = "auto"
    auth_type: Literal["none", "basic", "token", "certificate"] = "none"
    token: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    charge_point_id: str | dict[str, str] = ""
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


class Config(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="OCPP_MQTT_PROXY_",
        env_nested_delimiter="__",
        coerce_numbers_to_str=True,
    )

    ocpp_version: VersionWord = "1.6"
    auto_detect_ocpp_version: bool = True

    allow_shared_charging: bool = True
    preferred_provider: str = ""
    rate_limit_seconds: float = Field(default=10, ge=0)
    control_timeout_seconds: float = Field(default=60, ge=0)
    allowed_providers: list[str] = []
    blocked_providers: list[str] = []
    accept_unknown_backends: bool = False

    presence_sensor: str = ""
    presence_topic: Topic = ""
    default_presence: PresenceRule = "away"
    presence_unknown: Literal["deny", "allow"] = "deny"
    override_input_boolean: str = ""
    on_override: Literal["keep", "stop"] = "keep"
    owner_tag: str = Field(default="HOME", min_length=1, max_length=16)
    id_tags: list[IdTag] = []
    unknown_id_tag: Literal["ask_providers", "accept", "reject"] = "ask_providers"
    tariff: OwnerTariff = OwnerTariff()
    timezone: str = ""
    notify: Notify = Notify()

    http: Http = Http()
    ingress: Ingress = Ingress()
    mqtt: Mqtt = Mqtt()
    home_assistant: HomeAssistant = HomeAssistant()
    database: Database = Database()
    log: Log = Log()

    accept_unknown_chargers: AcceptUnknown = "first"
    strict_subprotocol: bool = False
    chargers: list[Charger] = []
    groups: list[Group] = []
    providers: list[Provider] = []
    ocpp_services: list[Service] = []

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key if value else value
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be a time zone such as Europe/Amsterdam") from None

    @model_validator(mode="after")
    def _ids_once(self) -> Self:
        for name in ("chargers", "groups", "providers", "ocpp_services"):
            ids = [item.id for item in getattr(self, name)]
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"{name}: the same id twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _one_authority(self) -> Self:
        claims: dict[tuple[str, str], str] = {}
        for service in self.ocpp_services:
            for class_name in service.authority:
                for charger in service.chargers or ["every charger"]:
                    other = claims.setdefault((class_name, charger), service.id)
                    if other != service.id:
                        raise ValueError(
                            f"ocpp_services: {other} and {service.id} both claim authority for "
                            f"{class_name} of {charger}; one at most"
                        )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings

    def charger(self, charger_id: str) -> Charger | None:
        """The configured charger of an id."""
        return next((c for c in self.chargers if c.id == charger_id), None)

    @property
    def open_to_all(self) -> bool:
        """Whether no card, provider or service is configured: every card is accepted then."""
        return not (self.id_tags or self.providers or self.ocpp_services)

    def masked(self) -> dict[str, Any]:
        """The effective configuration with secrets masked, ready for JSON or YAML."""
        return self.model_dump(mode="json", by_alias=True)


_OF_PROVIDERS = (
    *("providers", "allowed_providers", "blocked_providers", "preferred_provider", "allow_shared_charging"),
    *("rate_limit_seconds", "control_timeout_seconds", "accept_unknown_backends", "default_presence"),
)
_OF_PRESENCE = ("presence_sensor", "presence_topic", "presence_unknown")

LATER: dict[str, str] = {
    **dict.fromkeys(_OF_PROVIDERS, "providers"),
    **dict.fromkeys(_OF_PRESENCE, "presence"),
    **dict.fromkeys(("override_input_boolean", "on_override"), "the override"),
    "ocpp_services": "services",
    "groups": "groups",
    "home_assistant": "Home Assistant's own API",
    "notify": "notifications",
    "timezone": "schedules",
    "http.tls": "TLS towards chargers",
    "tariff.price_topic": "prices that change",
    "database.keep_audit_days": "the audit log",
    "chargers.safe_current": "limits without a connection",
    "chargers.quirks": "quirks",
}
"""Keys that are checked but not acted upon yet, with what they belong to; a start says so."""


def not_acted_upon(config: Config) -> list[str]:
    """The keys that were set and have no effect in this version."""
    return [f"{key} ({topic})" for key, topic in LATER.items() if _is_set(config, key.split("."))]


def _is_set(part: object, path: list[str]) -> bool:
    """Whether a key was given in a part of the configuration, or in any of a list of them."""
    if isinstance(part, list):
        return any(_is_set(item, path) for item in part)
    assert isinstance(part, BaseModel)
    key, *rest = path
    return key in part.model_fields_set and (not rest or _is_set(getattr(part, key), rest))
