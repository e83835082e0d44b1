"""Backends by WebSocket (contract §4, §7)."""
