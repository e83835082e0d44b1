"""What the configuration allows and denies a service by name."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.commands import Reset
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.model import OWNER, Version
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.household import rules_of
from ocpp_mqtt_proxy.services.obeying import permission
from tests.services.fakes import charger_of
from tests.services.obedience import call, served

KIND = {Version.V16: "Soft", Version.V201: "OnIdle", Version.V21: "OnIdle"}
each_version = pytest.mark.parametrize("version", Version)


@each_version
async def test_what_is_allowed_by_name_passes_without_the_role(version: Version) -> None:
    out = served(version, version, allow=frozenset({"Reset"}))
    assert await call(out, "Reset", type=KIND[version]) == {"status": "Accepted"}
    assert charger_of(out).asked == [Reset()]


@each_version
async def test_what_is_not_allowed_needs_the_role(version: Version) -> None:
    out = served(version, version)
    assert await call(out, "Reset", type=KIND[version]) == {"status": "Rejected"}
    assert charger_of(out).asked == []


@each_version
async def test_what_is_denied_is_denied_though_it_is_allowed(version: Version) -> None:
    named = frozenset({"Reset"})
    out = served(version, version, roles=ControlClass, allow=named, deny=named)
    assert await call(out, "Reset", type=KIND[version]) == {"status": "Rejected"}
    assert charger_of(out).asked == []


async def test_what_is_allowed_passes_no_other_rule() -> None:
    out = served(allow=frozenset({"Reset"}))
    out.station.control.mode = OWNER
    assert await call(out, "Reset", type="Soft") == {"status": "Rejected"}
    out.station.control.mode = AUTO
    out.arbitration.house.disabled.add(out.id)
    assert await call(out, "Reset", type="Soft") == {"status": "Rejected"}
    assert charger_of(out).asked == []


async def test_what_is_allowed_gives_nobody_the_class_to_hold() -> None:
    out = served(allow=frozenset({"Reset"}))
    await call(out, "Reset", type="Soft")
    assert out.station.control.holder(ControlClass.MANAGEMENT) is None
    assert out.station.control.last is not None
    assert out.station.control.last.granted


async def test_who_has_the_role_too_holds_the_class() -> None:
    out = served(roles=ControlClass, allow=frozenset({"Reset"}))
    await call(out, "Reset", type="Soft")
    assert out.station.control.holder(ControlClass.MANAGEMENT) == out.id


async def test_what_is_allowed_is_noted_like_all_else() -> None:
    out = served(allow=frozenset({"TriggerMessage"}))
    assert await call(out, "TriggerMessage", requestedMessage="BootNotification") == {"status": "Accepted"}
    assert out.wanted == "triggered"


async def test_who_is_allowed_something_has_the_link_that_there_is_now() -> None:
    out = served(allow=frozenset({"Reset"}))
    view = permission.allowed(out, "Reset")
    out.link = None
    assert (view.link, view.accepted) == (None, False)


async def test_one_action_allowed_lends_nothing_to_another() -> None:
    out = served(allow=frozenset({"Reset"}))
    await call(out, "Reset", type="Soft")
    assert await call(out, "DataTransfer", vendorId="x") == {"status": "UnknownVendorId"}


@pytest.mark.parametrize(
    "name", ["ChangeConfiguration:MeterValueSampleInterval", "setvariables:METERVALUESAMPLEINTERVAL"]
)
def test_keys_are_named_with_either_action_in_any_case(name: str) -> None:
    out = served(allow=frozenset({name}), deny=frozenset({name}))
    key = "MeterValueSampleInterval"
    assert permission.denies_key(out.plan, key)
    assert permission.has(permission.allowed_key(out, key), ControlClass.MANAGEMENT)
    assert permission.allowed_key(out, "Other") is out
    assert not permission.denies_key(out.plan, "Other")


@pytest.mark.parametrize("allow", [[], ["SetChargingProfile"]])
def test_who_may_set_profiles_by_name_has_the_role_that_keeps_them_standing(allow: list[str]) -> None:
    config = Config.model_validate(
        {
            "providers": [{"id": "fleet", "roles": ["transactions"]}],
            "ocpp_services": [{"id": "fleet", "url": "wss://fleet.example/", "allow": allow}],
        }
    )
    assert (ControlClass.SMART_CHARGING in rules_of(config).providers["fleet"].roles) is bool(allow)
