"""Chargers' sockets: the handshake, the gate, and one link per charger."""
