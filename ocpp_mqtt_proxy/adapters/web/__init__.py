"""HTTP: the page, `/status`, sessions, health, login."""

from ocpp_mqtt_proxy.adapters.web.api import Web

__all__ = ["Web"]
