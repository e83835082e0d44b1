"""What a value of the configuration may be, and what is said where it is not."""

from __future__ import annotations

import re
from collections.abc import Container
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr

from ocpp_mqtt_proxy.core.model import RESERVED_IDS
from ocpp_mqtt_proxy.ocppj import quirks
from ocpp_mqtt_proxy.passwords import is_usable

MASK = "***"
"""What is shown of what must not be."""

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def _spelled_out(value: object) -> object:
    """YAML reads `1.6` as a number and `off` as false; here both are words."""
    if value is False:
        return "off"
    return value if isinstance(value, str | list | dict) else str(value)


def _later(words: Container[str], message: str) -> BeforeValidator:
    """Refuse what the contract knows and this version does not serve yet, and say so."""

    def check(value: object) -> object:
        if str(value) in words:
            raise ValueError(message)
        return value

    return BeforeValidator(check)


def _matching(pattern: str, message: str) -> AfterValidator:
    """Text of a pattern, or a message that says what it must be."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.DOTALL):
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _not_reserved(value: str) -> str:
    if value.lower() in RESERVED_IDS:
        raise ValueError(f"is reserved; not allowed: {', '.join(sorted(RESERVED_IDS))}")
    return value


def _time_of_day(value: object) -> object:
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise ValueError('must be a time of day in quotes, "HH:MM"')
    return value


def _accept_unknown(value: object) -> object:
    words = {"first": "first", "true": True, "false": False}
    word = str(value).lower()
    if word not in words:
        raise ValueError("must be first, true or false")
    return words[word]


def _measurands(value: object) -> object:
    if value in ("auto", "keep") or (isinstance(value, list) and all(isinstance(m, str) for m in value)):
        return value
    raise ValueError("must be auto, keep or a list of measurands")


def _charge_point_id(value: object) -> object:
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, dict) and all(isinstance(name, str | int) for name in value.values()):
        return {str(charger): str(name) for charger, name in value.items()}
    raise ValueError("must be text, or {charger: text}")


def _by_connector(value: object) -> object:
    """JSON, and so the environment, has numbers for keys as text."""
    if isinstance(value, dict):
        _check_connectors([str(key) for key in value])
        return {int(key): current for key, current in value.items()}
    raise ValueError("must be {connector: A}, such as {1: 16}")


def _check_connectors(numbers: list[str]) -> None:
    for number in numbers:
        if not re.fullmatch(r"[1-9]\d{0,2}", number, re.ASCII):
            raise ValueError(f"{number!r} is no connector; must be a number from 1 to 999")
        if numbers.count(number) > 1:
            raise ValueError(f"connector {number} stands there twice; allowed: once")


def _quirk_switch(value: str) -> str:
    if quirks.unknown([value]):
        known = ", ".join(sorted(quirks.NAMES))
        raise ValueError(f"{value} is no quirk; must be one of {known}; or {quirks.OFF}… to switch one off")
    return value


def _whole(value: SecretStr) -> SecretStr:
    if not is_usable(value.get_secret_value()):
        raise ValueError("begins like a hash but is none; must be plain, or all that `hash-password` prints")
    return value


def _without_credentials(url: str) -> str:
    """A URL as it may be shown: whoever is named in it, and its query, may be secrets."""
    return re.sub(r"\?.*", f"?{MASK}", re.sub(r"//[^/]*@", f"//{MASK}@", url), flags=re.DOTALL)


Spelled = BeforeValidator(_spelled_out)
ProviderId = Annotated[
    str,
    _matching(r"[A-Za-z0-9_-]+", "must be made of letters, digits, _ and -"),
    AfterValidator(_not_reserved),
]
ChargerId = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_not_reserved)]
Topic = Annotated[str, _matching(r"(?!\$)[^+#\0]*", "must be an MQTT topic without wildcards")]
Tree = Annotated[str, _matching(r"(?!\$)[^+#\0]+", "must be an MQTT topic without wildcards, not empty")]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
VersionWord = Annotated[Literal["1.6", "2.0.1", "2.1"], Spelled]
ChargerVersion = Annotated[Literal["1.6", "2.0.1", "2.1", "auto"], Spelled]
SecurityProfile = Annotated[
    Literal[0, 1], _later({"2", "3"}, "profiles 2 and 3 need TLS, which is not served yet; must be 0 or 1")
]
AcceptUnknown = Annotated[bool | Literal["first"], BeforeValidator(_accept_unknown)]
Measurands = Annotated[Literal["auto", "keep"] | list[str], BeforeValidator(_measurands)]
ChargePointId = Annotated[str | dict[str, str], BeforeValidator(_charge_point_id)]
QuirkSwitch = Annotated[str, AfterValidator(_quirk_switch)]
Password = Annotated[SecretStr, AfterValidator(_whole)]
"""A secret that may be a hash of ours."""
EntityId = Annotated[
    str, _matching(r"([a-z0-9_]+\.[a-z0-9_]+)?", "must be an entity of Home Assistant, such as person.anna")
]
BooleanId = Annotated[
    str,
    _matching(r"(input_boolean\.[a-z0-9_]+)?", "must be an input_boolean of Home Assistant, such as input_boolean.x"),
]
Url = Annotated[str, PlainSerializer(_without_credentials)]
WebUrl = Annotated[Url, _matching(r"(https?://.+)?", "must begin with http:// or https://")]
WebSocketUrl = Annotated[Url, _matching(r"wss?://.+", "must begin with ws:// or wss://")]
Port = Annotated[int, Field(ge=1, le=65535)]
Current = Annotated[float, Field(ge=0, le=1000)]
ByConnector = Annotated[dict[int, Current], BeforeValidator(_by_connector)]
"""A current for some connectors of a charger, by their numbers."""
Seconds = Annotated[int, Field(ge=1, le=86400)]
Days = Annotated[int, Field(ge=0, le=36500)]
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Currency = Annotated[str, _matching(r"[A-Z]{3}", "must be a currency's three letters, such as EUR")]
PresenceRule = Literal["any", "home", "away"]
ClassName = Literal["transactions", "smart_charging", "management"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
