"""The fakes on which the services' tests stand."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.reports import HeartbeatReported, SecurityReported
from ocpp_mqtt_proxy.services.ports import LinkLost
from tests.fakes import NOON
from tests.services.fakes import an_outstation, link_of, outbox_of


@pytest.mark.parametrize("version", Version)
async def test_an_outstation_speaks_the_service_s_version(version: Version) -> None:
    out = an_outstation(version)
    await out.say(HeartbeatReported())
    assert out.accepted
    assert link_of(out).calls == [("Heartbeat", {})]


async def test_a_lost_link_takes_no_calls() -> None:
    out = an_outstation()
    link_of(out).lose()
    with pytest.raises(LinkLost):
        await out.say(HeartbeatReported())


async def test_what_is_recorded_waits_until_it_is_delivered() -> None:
    out = an_outstation()
    outbox = outbox_of(out.hub)
    message = Outgoing("billing", "CP1", outbox.number(), NOON, SecurityReported("TamperDetectionActivated"))
    await out.hub.ledger.record([message])
    assert await out.outbox.head("billing", "CP1") == [message]
    await out.hub.ledger.record([Delivered(message.number)])
    assert out.outbox.depth("billing", "CP1").messages == 0


def test_two_services_share_a_charger() -> None:
    one = an_outstation()
    other = an_outstation(Version.V201, arbitration=one.arbitration, id="fleet")
    assert one.station is other.station
