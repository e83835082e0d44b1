"""What services wait for, and what is remembered of them, as rows and back."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.virtual import Virtual


def statements(change: Outgoing | Delivered | Peer | Virtual) -> list[tuple[str, tuple[object, ...]]]:
    """A change as SQL, as it stands now."""
    raise NotImplementedError(type(change))
