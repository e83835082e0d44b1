"""OCPP 1.6 (edition 2, with the security whitepaper's messages)."""

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.v16.hear import HEAR
from ocpp_mqtt_proxy.ocppj.v16.obey import OBEY
from ocpp_mqtt_proxy.ocppj.v16.order import ORDER
from ocpp_mqtt_proxy.ocppj.v16.say import SAY

V16 = Dialect(Version.V16, "ocpp1.6", HEAR, SAY, ORDER, OBEY)
