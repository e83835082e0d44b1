"""The OCPP versions we speak. What runs over versions runs over this table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.v16 import V16
from ocpp_mqtt_proxy.ocppj.v21 import V21
from ocpp_mqtt_proxy.ocppj.v201 import V201

DIALECTS: Mapping[Version, Dialect] = MappingProxyType({d.version: d for d in (V16, V201, V21)})
SUBPROTOCOLS: Mapping[str, Version] = MappingProxyType({d.subprotocol: d.version for d in DIALECTS.values()})
