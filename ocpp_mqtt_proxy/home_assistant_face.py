"""Home Assistant's own API, wired: where it is, and which of its entities are listened to."""

from __future__ import annotations

import logging

from ocpp_mqtt_proxy.adapters.home_assistant.api import Endpoint
from ocpp_mqtt_proxy.adapters.home_assistant.feed import CONCERNS, Feed
from ocpp_mqtt_proxy.adapters.home_assistant.notices import Notices
from ocpp_mqtt_proxy.adapters.home_assistant.override import Mirror
from ocpp_mqtt_proxy.adapters.home_assistant.presence import PresenceSensor
from ocpp_mqtt_proxy.adapters.supervisor import Supervisor
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.config import Config

log = logging.getLogger(__name__)


def endpoint_of(config: Config, supervisor: Supervisor) -> Endpoint | None:
    """Where Home Assistant is: as configured, else by way of the Supervisor; None where nobody says."""
    given = config.home_assistant
    if given.url and (token := given.token.get_secret_value()):
        return Endpoint.of(given.url, token)
    if supervisor:
        return Endpoint(f"{supervisor.url.replace('http', 'ws', 1)}/core/websocket", supervisor.token)
    return None


def feed_of(config: Config, arbitration: Arbitration, supervisor: Supervisor) -> Feed | None:
    """The feed, to be run; None where there is no Home Assistant to speak to, or nothing to say."""
    sensor, boolean, notify = config.presence_sensor, config.override_input_boolean, config.notify
    endpoint = endpoint_of(config, supervisor)
    if endpoint is None:
        for key in ("presence_sensor", "override_input_boolean"):
            if getattr(config, key):
                log.error("%s has no effect without home_assistant.url and home_assistant.token", key)
        return None
    if not (sensor or boolean or notify.faults or notify.sessions or notify.logins):
        return None
    return Feed(
        endpoint=endpoint,
        mailbox=arbitration.hub.bus.mailbox("home assistant", only=CONCERNS),
        notices=Notices(arbitration, faults=notify.faults, sessions=notify.sessions, logins=notify.logins),
        sensor=PresenceSensor(arbitration, sensor, alone=not config.presence_topic) if sensor else None,
        mirror=Mirror(arbitration, boolean) if boolean else None,
    )
