"""OCPP 2.0.1."""

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.v201.hear import HEAR
from ocpp_mqtt_proxy.ocppj.v201.obey import OBEY
from ocpp_mqtt_proxy.ocppj.v201.order import ORDER
from ocpp_mqtt_proxy.ocppj.v201.say import SAY

V201 = Dialect(Version.V201, "ocpp2.0.1", HEAR, SAY, ORDER, OBEY)
