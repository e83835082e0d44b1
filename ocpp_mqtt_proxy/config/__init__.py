"""The configuration (contract §3): every key, its default and what is allowed.

Frozen, unknown keys forbidden. `config_file.load` makes one of a file and the environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import combinations
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ocpp_mqtt_proxy.config.later import LATER, not_acted_upon
from ocpp_mqtt_proxy.config.sections import (
    Charger,
    Database,
    Group,
    HomeAssistant,
    Http,
    IdTag,
    Ingress,
    Log,
    Mqtt,
    Notify,
    OwnerTariff,
    Provider,
    Service,
)
from ocpp_mqtt_proxy.config.values import MASK, AcceptUnknown, BooleanId, EntityId, PresenceRule, Topic, VersionWord

__all__ = ["LATER", "Charger", "Config", "Log", "Mqtt", "not_acted_upon"]


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

    presence_sensor: EntityId = ""
    presence_topic: Topic = ""
    default_presence: PresenceRule = "away"
    presence_unknown: Literal["deny", "allow"] = "deny"
    override_input_boolean: BooleanId = ""
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
        except (ZoneInfoNotFoundError, ValueError, OSError):  # it is a file's name too, and may be too long for one
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
        for service, other in combinations(self.ocpp_services, 2):
            classes = set(service.authority) & set(other.authority)
            if classes and _share_chargers(service, other):
                raise ValueError(
                    f"ocpp_services: {service.id} and {other.id} both claim authority for "
                    f"{', '.join(sorted(classes))} of one charger; allowed: one service at most"
                )
        return self

    @model_validator(mode="after")
    def _groups_of_chargers(self) -> Self:
        for number, group in enumerate(self.groups):
            where = f"groups.{number}.chargers"
            if unknown := sorted(set(group.chargers) - self.chargers_by_id.keys()):
                known = _named(self.chargers_by_id) or "none yet"
                raise ValueError(f"{where}: no such charger: {_named(unknown)}; allowed: those of chargers: {known}")
            if twice := sorted({one for one in group.chargers if group.chargers.count(one) > 1}):
                raise ValueError(f"{where}: the same charger twice: {_named(twice)}")
        for one, other in combinations(self.groups, 2):
            if both := sorted(set(one.chargers) & set(other.chargers)):
                raise ValueError(f"groups: {one.id} and {other.id} both have {_named(both)}; allowed: one of them")
        return self

    @model_validator(mode="after")
    def _foreign_presence(self) -> Self:
        ours = f"{self.mqtt.base_topic}/presence"
        if self.presence_topic == ours:
            raise ValueError(f"presence_topic: must not be {ours}, which tells what is believed; feeds use {ours}/set")
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
        return self.chargers_by_id.get(charger_id)

    @cached_property
    def chargers_by_id(self) -> dict[str, Charger]:
        """The configured chargers; it is asked with every connection."""
        return {charger.id: charger for charger in self.chargers}

    def group_of(self, charger_id: str) -> str:
        """The group of a charger; empty where it is in none."""
        return self._groups_by_charger.get(charger_id, "")

    @cached_property
    def _groups_by_charger(self) -> dict[str, str]:
        return {charger: group.id for group in self.groups for charger in group.chargers}

    @property
    def open_to_all(self) -> bool:
        """Whether no card, provider or service is configured: every card is accepted then."""
        return not (self.id_tags or self.providers or self.ocpp_services)

    def masked(self, *, show_tags: bool = True) -> dict[str, Any]:
        """The effective configuration with secrets masked, and cards where wanted, ready for JSON or YAML."""
        shown = self.model_dump(mode="json", by_alias=True)
        if not show_tags:
            shown["owner_tag"] = MASK
            shown["id_tags"] = [card | {"tag": MASK} for card in shown["id_tags"]]
        return shown


def _named(ids: Iterable[str]) -> str:
    """Ids in a message: of one line, whatever is in them."""
    return ", ".join(one if one.isprintable() else repr(one) for one in ids)


def _share_chargers(service: Service, other: Service) -> bool:
    """Whether two services see one charger; one without a list sees all."""
    return not service.chargers or not other.chargers or bool(set(service.chargers) & set(other.chargers))
