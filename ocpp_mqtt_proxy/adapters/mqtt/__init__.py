"""MQTT: the session with the broker, the states published, the owner's commands taken."""
