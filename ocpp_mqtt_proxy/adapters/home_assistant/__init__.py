"""Home Assistant's own API: who is at home, the override's input_boolean, notifications."""
