"""What we tell an OCPP 2.1 CSMS: as in 2.0.1, with more words."""

from __future__ import annotations

from ocpp_mqtt_proxy.ocppj.v21.words import WORDS
from ocpp_mqtt_proxy.ocppj.v201.say import SAY as SAY_201, worded

SAY = {**SAY_201, **worded(WORDS)}
