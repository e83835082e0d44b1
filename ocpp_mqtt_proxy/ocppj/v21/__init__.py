"""OCPP 2.1: 2.0.1, and what it has more."""

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.v21.hear import HEAR, OVERHEAR
from ocpp_mqtt_proxy.ocppj.v21.obey import OBEY
from ocpp_mqtt_proxy.ocppj.v21.say import SAY
from ocpp_mqtt_proxy.ocppj.v201 import V201

V21 = Dialect(Version.V21, "ocpp2.1", HEAR, SAY, V201.order, OBEY, OVERHEAR)
