"""Settings as services see and set them: one virtual table each over the charger's own (semantics §7, §10.8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocpp_mqtt_proxy.core.commands import GetConfiguration, Order, Outcome, SetConfiguration, done
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.settings import MOST_STRANGE
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.services.obeying import reading
from ocpp_mqtt_proxy.services.obeying.catalogue import OURS, hidden, number
from ocpp_mqtt_proxy.services.obeying.reading import KEPT
from ocpp_mqtt_proxy.services.plan import Credentials
from tests.busy import BusyLink
from tests.fakes import FakeClock
from tests.services.fakes import an_outstation, charger_of
from tests.services.obedience import (
    EACH,
    KEYS,
    V16,
    V21,
    V201,
    call,
    changed,
    changes,
    got,
    key_of,
    refuses_everything,
    served,
    set_to,
    variable,
)

MANAGER = (ControlClass.MANAGEMENT,)


# Reading


@pytest.mark.parametrize("charger", EACH)
async def test_a_16_service_reads_the_chargers_setting_whatever_the_charger_speaks(charger: Version) -> None:
    assert await key_of(served(V16, charger), "ConnectionTimeOut") == "120"


@pytest.mark.parametrize("charger", EACH)
@pytest.mark.parametrize("service", [V201, V21])
async def test_a_2x_service_reads_it_as_a_variable(service: Version, charger: Version) -> None:
    assert await got(served(service, charger), "TxCtrlr.EVConnectionTimeOut") == ("Accepted", "120")


async def test_keys_are_found_in_any_case_of_letters() -> None:
    assert await key_of(served(), "connectiontimeout") == "120"


@pytest.mark.parametrize("charger", EACH)
async def test_all_keys_are_told_to_a_16_service_with_what_is_ours(charger: Version) -> None:
    answer = await call(served(V16, charger), "GetConfiguration")
    told = {entry["key"]: entry["value"] for entry in answer["configurationKey"]}
    assert told["ConnectionTimeOut"] == "120"
    assert told["NumberOfConnectors"] == "1"
    assert "SmartCharging" in told["SupportedFeatureProfiles"]
    assert not any("." in key for key in told)


@pytest.mark.parametrize("charger", EACH)
async def test_no_secret_of_the_chargers_is_ever_told(charger: Version) -> None:
    out = served(V16, charger)
    told = str(await call(out, "GetConfiguration")) + str([await key_of(out, key) for key in KEYS])
    assert "secret" not in told
    assert "another-one" not in told
    assert "ws://" not in told
    assert "secret" not in str(await got(served(V201, charger), "SecurityCtrlr.BasicAuthPassword"))


async def test_a_key_that_nobody_knows_is_unknown() -> None:
    answer = await call(served(), "GetConfiguration", key=["NoSuchKey", "ConnectionTimeOut"])
    assert answer["unknownKey"] == ["NoSuchKey"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("NoSuchCtrlr.Thing", "UnknownComponent"),
        ("TxCtrlr.NoSuchThing", "UnknownVariable"),
        ("SecurityCtrlr.BasicAuthPassword", "Rejected"),
    ],
)
@pytest.mark.parametrize("charger", EACH)
async def test_a_variable_that_cannot_be_told_says_why(charger: Version, name: str, status: str) -> None:
    assert await got(served(V201, charger), name) == (status, None)


@pytest.mark.parametrize("attribute", ["Target", "MinSet", "MaxSet"])
async def test_variables_have_no_attribute_but_their_value(attribute: str) -> None:
    out = served(V201)
    asked = await got(out, "TxCtrlr.EVConnectionTimeOut", attributeType=attribute)
    assert asked == ("NotSupportedAttributeType", None)
    assert await set_to(out, "TxCtrlr.EVConnectionTimeOut", "1", attributeType=attribute) == "NotSupportedAttributeType"


async def test_every_variable_asked_for_has_one_result_that_says_its_attribute() -> None:
    """B06.FR.01, B06.FR.11."""
    asked = [variable("TxCtrlr.EVConnectionTimeOut"), variable("No.Such"), variable("TxCtrlr.EVConnectionTimeOut")]
    answer = await call(served(V201), "GetVariables", getVariableData=asked)
    assert [result["attributeStatus"] for result in answer["getVariableResult"]] == [
        "Accepted",
        "UnknownComponent",
        "Accepted",
    ]
    assert {result["attributeType"] for result in answer["getVariableResult"]} == {"Actual"}


async def test_variables_with_an_instance_are_told_apart() -> None:
    out = served(V201)
    attempts = variable("OCPPCommCtrlr.MessageAttempts", "TransactionEvent")
    answer = await call(out, "GetVariables", getVariableData=[attempts, variable("OCPPCommCtrlr.MessageAttempts")])
    assert [result["attributeStatus"] for result in answer["getVariableResult"]] == ["Accepted", "UnknownVariable"]


async def test_a_16_chargers_own_keys_are_variables_of_a_vendors_component() -> None:
    assert await got(served(V201), "VendorCtrlr.LightIntensity") == ("Accepted", "80")


async def test_the_charger_is_asked_once_in_a_while() -> None:
    out = served()
    for _ in range(3):
        await call(out, "GetConfiguration")
        await key_of(out, "NoSuchKey")
    assert charger_of(out).asked == [GetConfiguration(), GetConfiguration(("NoSuchKey",))]
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.at += KEPT
    await call(out, "GetConfiguration")
    assert charger_of(out).asked[2:] == [GetConfiguration()]


async def test_a_charger_that_is_away_is_as_it_was() -> None:
    out = served()
    await call(out, "GetConfiguration")
    out.hub.disconnect("CP1", charger_of(out), "gone")
    assert await key_of(out, "ConnectionTimeOut") == "120"


@pytest.mark.parametrize("charger", EACH)
async def test_a_charger_that_tells_nothing_leaves_what_is_ours(charger: Version) -> None:
    out = served(V16, charger, answer=refuses_everything)
    assert await key_of(out, "NumberOfConnectors") == "1"
    assert await key_of(out, "LightIntensity") is None


@pytest.mark.parametrize(("service", "units"), [(V16, "Current,Power"), (V201, "A,W")])
async def test_units_of_profiles_are_in_the_words_of_the_service(service: Version, units: str) -> None:
    out = served(service)
    if service is V16:
        assert await key_of(out, "ChargingScheduleAllowedChargingRateUnit") == units
    else:
        assert await got(out, "SmartChargingCtrlr.RateUnit") == ("Accepted", units)


@pytest.mark.parametrize(
    ("url", "shown", "profile"),
    [
        ("ws://x", Credentials("none"), "0"),
        ("ws://x", Credentials("basic"), "1"),
        ("wss://x", Credentials("basic"), "2"),
        ("wss://x", Credentials("certificate"), "3"),
    ],
)
async def test_the_security_profile_is_that_of_the_link_to_the_service(
    url: str, shown: Credentials, profile: str
) -> None:
    out = served()
    out.plan = replace(out.plan, url=url, credentials=shown)
    assert await key_of(out, "SecurityProfile") == profile


# Setting what is ours


@pytest.mark.parametrize("charger", EACH)
async def test_how_often_readings_are_wanted_is_kept_for_the_service_alone(charger: Version) -> None:
    out = served(V16, charger)
    other = an_outstation(V16, arbitration=out.arbitration, id="other")
    assert await changed(out, "MeterValueSampleInterval", "600") == "Accepted"
    assert await key_of(out, "MeterValueSampleInterval") == "600"
    assert await key_of(other, "MeterValueSampleInterval") == "15"
    assert changes(out) == []


async def test_a_2x_service_sets_the_same_by_its_variable() -> None:
    out = served(V201)
    assert await set_to(out, "SampledDataCtrlr.TxUpdatedInterval", "600") == "Accepted"
    assert out.virtual.settings == {"MeterValueSampleInterval": "600"}
    assert await got(out, "SampledDataCtrlr.TxUpdatedInterval") == ("Accepted", "600")


@pytest.mark.parametrize("value", ["-1", "often", "", "1.5", "99999999999"])
async def test_a_number_that_is_none_is_refused(value: str) -> None:
    out = served()
    assert await changed(out, "MeterValueSampleInterval", value) == "Rejected"
    assert out.virtual == Virtual("billing", "CP1")


async def test_measurands_are_a_list_of_such() -> None:
    out = served()
    assert await changed(out, "MeterValuesSampledData", "Energy.Active.Import.Register, Voltage.L1-N") == "Accepted"
    assert await changed(out, "MeterValuesSampledData", "all of it!") == "Rejected"
    assert await changed(out, "StopTxnSampledData", "") == "Accepted"


async def test_the_heartbeat_is_the_links_own() -> None:
    out = served()
    assert await changed(out, "HeartbeatInterval", "77") == "Accepted"
    assert await key_of(out, "HeartbeatInterval") == "77"
    assert out.retuned.is_set()
    assert await changed(out, "HeartbeatInterval", "0") == "Rejected"


async def test_how_often_a_message_is_tried_is_the_links_own() -> None:
    out = served()
    await changed(out, "TransactionMessageAttempts", "5")
    assert number(out, "TransactionMessageAttempts") == 5


@pytest.mark.parametrize("key", ["AuthorizationKey", "SecurityProfile", "NumberOfConnectors", "BackendPassword"])
@pytest.mark.parametrize("roles", [(), MANAGER])
async def test_credentials_and_facts_are_never_set(key: str, roles: tuple[ControlClass, ...]) -> None:
    out = served(roles=roles)
    assert await changed(out, key, "2") == "Rejected"
    assert changes(out) == []


@pytest.mark.parametrize("name", ["password", "WifiSSID", "ServerUrl", "ModemAPN", "SimPin", "APIToken"])
def test_what_lets_the_charger_in_is_hidden(name: str) -> None:
    assert hidden(name)


@pytest.mark.parametrize("name", ["TokenReader.Enabled", "AuthCtrlr.LocalPreAuthorize", "MeterValueSampleInterval"])
def test_what_does_not_is_not(name: str) -> None:
    assert not hidden(name)


# Setting what is the charger's


async def test_without_management_the_chargers_settings_stay() -> None:
    out = served()
    assert await changed(out, "LocalPreAuthorize", "true") == "Rejected"
    assert await changed(out, "NoSuchKey", "1") == "NotSupported"
    assert changes(out) == []


async def test_a_2x_service_without_management_hears_of_each_why() -> None:
    out = served(V201)
    assert await set_to(out, "AuthCtrlr.LocalPreAuthorize", "true") == "Rejected"
    assert await set_to(out, "AuthCtrlr.NoSuchThing", "1") == "UnknownVariable"
    assert await set_to(out, "NoSuchCtrlr.Thing", "1") == "UnknownComponent"
    assert changes(out) == []


async def test_with_management_the_charger_is_asked() -> None:
    out = served(roles=MANAGER)
    assert await changed(out, "LocalPreAuthorize", "true") == "Accepted"
    assert changes(out) == [SetConfiguration((("LocalPreAuthorize", "true"),))]
    assert out.station.control.holder(ControlClass.MANAGEMENT) == "billing"


async def test_that_the_charger_needs_a_reboot_is_passed_on() -> None:
    assert await changed(served(roles=MANAGER), "LightIntensity", "10") == "RebootRequired"
    assert await set_to(served(V201, roles=MANAGER), "VendorCtrlr.LightIntensity", "10") == "RebootRequired"


async def test_a_setting_that_was_written_is_read_anew() -> None:
    out = served(roles=MANAGER)
    await key_of(out, "LocalPreAuthorize")
    await changed(out, "LocalPreAuthorize", "true")
    charger_of(out).asked.clear()
    await key_of(out, "LocalPreAuthorize")
    assert charger_of(out).asked == [GetConfiguration()]


async def test_with_management_a_charger_may_still_refuse() -> None:
    assert await changed(served(roles=MANAGER, answer=refuses_everything), "LocalPreAuthorize", "1") == "Rejected"


@pytest.mark.parametrize("named", ["LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize", "localpreauthorize"])
async def test_the_owner_may_allow_one_setting_by_its_name(named: str) -> None:
    out = served(allow=frozenset({f"ChangeConfiguration:{named}"}))
    assert await changed(out, "LocalPreAuthorize", "true") == "Accepted"
    assert await changed(out, "ConnectionTimeOut", "60") == "Rejected"
    assert out.station.control.holder(ControlClass.MANAGEMENT) is None


async def test_the_owner_may_deny_one_setting_by_its_name() -> None:
    out = served(V201, roles=MANAGER, deny=frozenset({"ChangeConfiguration:LocalPreAuthorize"}))
    assert await set_to(out, "AuthCtrlr.LocalPreAuthorize", "true") == "Rejected"
    assert await set_to(out, "TxCtrlr.EVConnectionTimeOut", "60") == "Accepted"


async def test_a_disabled_manager_sets_nothing() -> None:
    out = served(roles=MANAGER)
    out.arbitration.house.disabled.add("billing")
    assert await changed(out, "LocalPreAuthorize", "true") == "Rejected"
    assert changes(out) == []


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("charger", EACH)
async def test_all_that_is_ours_can_be_read_in_every_version(service: Version, charger: Version) -> None:
    out = served(service, charger)
    values = {name: OURS[name].value(out) for name in OURS}
    assert {name for name, value in values.items() if value is None} == {"AuthorizationKey"}


@pytest.mark.parametrize("roles", [(), MANAGER])
async def test_how_the_link_is_kept_alive_is_told_and_not_the_chargers_to_change(
    roles: tuple[ControlClass, ...],
) -> None:
    out = served(roles=roles)
    assert await key_of(out, "WebSocketPingInterval") == "30"
    assert await changed(out, "WebSocketPingInterval", "5") == "Rejected"
    assert changes(out) == []


async def test_the_network_profile_is_ours_whichever_spelling_is_used() -> None:
    out = served(V201, V201, roles=MANAGER)
    assert await set_to(out, "OCPPCommCtrlr.NetworkConfigurationPriority", "2") == "Rejected"
    assert await set_to(out, "securityctrlr.basicauthpassword", "0123456789abcdef") == "Rejected"
    assert await set_to(out, "VendorCtrlr.BackendUrl", "ws://evil") == "Rejected"
    assert changes(out) == []


async def test_how_many_profiles_there_may_be_and_there_are() -> None:
    assert await key_of(served(), "MaxChargingProfilesInstalled") == "100"
    out = served(V201)
    entries = variable("SmartChargingCtrlr.Entries", "ChargingProfiles")
    answer = await call(out, "GetVariables", getVariableData=[entries])
    assert answer["getVariableResult"][0]["attributeValue"] == "0"


async def test_a_stranger_cannot_make_us_ask_for_ever() -> None:
    out = served(answer=refuses_nothing_but_knows_none)
    for count in range(300):
        await key_of(out, f"Made{count}")
    assert len(charger_of(out).asked) <= MOST_STRANGE + 1


def refuses_nothing_but_knows_none(order: Order) -> Outcome:
    """A charger that has no settings at all."""
    return done(values={}, readonly=[]) if isinstance(order, GetConfiguration) else done()


async def test_a_charger_that_does_not_answer_holds_no_service_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0)
    out = served()
    out.hub.links["CP1"] = BusyLink()
    assert await key_of(out, "NumberOfConnectors") == "1"
    assert await key_of(out, "LightIntensity") is None


async def test_a_2x_charger_is_asked_for_a_few_variables_at_once() -> None:
    out = served(V201, V201)
    asked = [variable(f"Sensor.Value{count}") for count in range(9)]
    await call(out, "GetVariables", getVariableData=asked)
    assert [len(order.names) for order in charger_of(out).asked if isinstance(order, GetConfiguration)] == [4, 4, 1]
