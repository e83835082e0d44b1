"""The states of some entities, as `subscribe_entities` tells them: all at first, then what changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ocpp_mqtt_proxy.adapters.home_assistant.api import Lost


class Told(BaseModel):
    """A state; its attributes are not ours to know. Without one where only they changed."""

    model_config = ConfigDict(strict=True)

    s: str | None = None


class Changed(BaseModel):
    """What is new of an entity."""

    model_config = ConfigDict(strict=True)

    new: Told = Field(default=Told(), alias="+")


class Event(BaseModel):
    """Entities that are there, that changed, and that are gone."""

    model_config = ConfigDict(strict=True)

    a: dict[str, Told] = {}
    c: dict[str, Changed] = {}
    r: list[str] = []


class Entities:
    """Reads the events of one subscription, in order."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = tuple(dict.fromkeys(wanted))
        self._begun = False

    def take(self, given: dict[str, Any]) -> dict[str, str | None]:
        """The states that this tells: None of an entity that is not there. Raises Lost where it makes no sense."""
        try:
            event = Event.model_validate(given)
        except ValidationError:
            raise Lost("it tells of entities in a way that cannot be understood") from None
        states: dict[str, str | None] = {} if self._begun else dict.fromkeys(self._wanted)
        self._begun = True
        states |= dict.fromkeys(event.r)
        states |= {entity: told.s for entity, told in event.a.items()}
        states |= {entity: told.new.s for entity, told in event.c.items() if told.new.s is not None}
        return {entity: state for entity, state in states.items() if entity in self._wanted}
