"""Every reason of refusal has a valid answer, and what has items is refused item by item."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import Reason, refused
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.sharing import ControlClass
from tests.services.fakes import charger_of
from tests.services.obedience import call, served, variable

V16, V201, V21 = Version
CALLS: dict[str, tuple[Version, dict[str, Any]]] = {
    "RemoteStartTransaction": (V16, {"connectorId": 1, "idTag": "CARD"}),
    "ReserveNow": (
        V16,
        {"connectorId": 1, "idTag": "CARD", "reservationId": 5, "expiryDate": "2026-03-14T18:00:00Z"},
    ),
    "UnlockConnector": (V201, {"evseId": 1, "connectorId": 1}),
    "Reset": (V201, {"type": "OnIdle"}),
    "GetLog": (V201, {"logType": "SecurityLog", "requestId": 7, "log": {"remoteLocation": "https://x"}}),
    "DataTransfer": (V201, {"vendorId": "x"}),
    "TriggerMessage": (V201, {"requestedMessage": "PublishFirmwareStatusNotification"}),
}
"""One call of each kind of answer."""


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("action", CALLS)
async def test_every_reason_has_a_valid_no(action: str, reason: Reason) -> None:
    version, payload = CALLS[action]
    out = served(version, version, roles=ControlClass, answer=lambda _: refused(reason, "no"))
    answer = await call(out, action, **payload)
    assert answer["status"] not in ("Accepted", "Unlocked", "Scheduled")


async def test_each_monitor_that_is_not_set_is_repeated() -> None:
    item = {"value": 1.5, "type": "Delta", "severity": 3, **variable("EVSE.Power")}
    answer = await call(served(V201, V16), "SetVariableMonitoring", setMonitoringData=[item, item])
    told = {"status": "Rejected", "type": "Delta", "severity": 3, **variable("EVSE.Power")}
    assert answer == {"setMonitoringResult": [told, told]}


async def test_each_monitor_and_tariff_that_is_to_go_is_unknown() -> None:
    answer = await call(served(V201, V16), "ClearVariableMonitoring", id=[4, 5])
    assert answer == {"clearMonitoringResult": [{"status": "NotFound", "id": 4}, {"status": "NotFound", "id": 5}]}
    answer = await call(served(V21, V16), "ClearTariffs", tariffIds=["night"])
    assert answer == {"clearTariffsResult": [{"status": "NoTariff", "tariffId": "night"}]}
    assert await call(served(V21, V16), "ClearTariffs") == {"clearTariffsResult": [{"status": "NoTariff"}]}


async def test_an_answer_of_the_charger_that_breaks_its_schema_does_not_go_on() -> None:
    out = served(V201, V201, roles=ControlClass)
    charger_of(out).answer = lambda _: refused(Reason.CHARGER_REJECTED)
    assert await call(out, "SetMonitoringLevel", severity=3) == {"status": "Rejected"}
