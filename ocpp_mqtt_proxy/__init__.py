"""One EV charger, Home Assistant and many backends: an MQTT-native OCPP proxy."""

__version__ = "0.1.0"
