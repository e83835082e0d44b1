"""Whatever a service without rights sends: the charger is left alone, and every answer is a valid one (I8)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.ocppj.settings import TO_VARIABLE
from ocpp_mqtt_proxy.services.obeying.catalogue import OURS
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.services.obedience import EACH, KEYS, V16, call, changes, served, variable

quick = settings(max_examples=30, deadline=None)

TEXT = st.text(max_size=50)
KEY = st.sampled_from(sorted({*KEYS, *TO_VARIABLE, *(name for name in OURS if "." not in name)})) | TEXT
VARIABLE = st.sampled_from(sorted({*TO_VARIABLE.values(), *(name for name in OURS if "." in name)}))
VALUE = st.sampled_from(["true", "false", "0", "30", "-1", "Energy.Active.Import.Register", ""]) | st.text(max_size=200)
NUMBER = st.integers(0, 2**31 - 1)
CONNECTOR = st.integers(1, 9)
ATTRIBUTE = st.sampled_from(["Actual", "Target", "MinSet", "MaxSet"])


@st.composite
def named(draw: st.DrawFn) -> dict[str, Any]:
    """A component and a variable, whether or not there is such a one."""
    name, instance = draw(VARIABLE), draw(st.none() | st.sampled_from(["TransactionEvent", "GetReport", "x(y).z"]))
    found = variable(name.partition("(")[0], instance)
    place = draw(st.none() | st.fixed_dictionaries({"id": NUMBER}, optional={"connectorId": CONNECTOR}))
    if draw(st.booleans()):
        found["variable"]["name"] = draw(TEXT)
    return found | {"component": found["component"] | ({"evse": place} if place else {})}


CARDS_16 = st.lists(
    st.fixed_dictionaries(
        {"idTag": st.text(max_size=20)}, optional={"idTagInfo": st.sampled_from([{"status": "Accepted"}])}
    ),
    max_size=4,
)
CARDS_2X = st.lists(
    st.fixed_dictionaries(
        {"idToken": st.fixed_dictionaries({"idToken": st.text(max_size=36), "type": st.just("Local")})},
        optional={"idTokenInfo": st.sampled_from([{"status": "Blocked"}])},
    ),
    min_size=1,
    max_size=4,
)
UPDATES = st.sampled_from(["Full", "Differential"])

CALLS_16: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "GetConfiguration": st.fixed_dictionaries({}, optional={"key": st.lists(KEY, max_size=4, unique=True)}),
    "ChangeConfiguration": st.fixed_dictionaries({"key": KEY, "value": VALUE}),
    "ChangeAvailability": st.fixed_dictionaries(
        {"connectorId": st.integers(0, 5), "type": st.sampled_from(["Operative", "Inoperative"])}
    ),
    "SendLocalList": st.fixed_dictionaries(
        {"listVersion": NUMBER, "updateType": UPDATES}, optional={"localAuthorizationList": CARDS_16}
    ),
    "GetLocalListVersion": st.just({}),
}
CALLS_2X: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "GetVariables": st.lists(
        st.builds(
            lambda one, more: one | more, named(), st.fixed_dictionaries({}, optional={"attributeType": ATTRIBUTE})
        ),
        min_size=1,
        max_size=4,
    ).map(lambda items: {"getVariableData": items}),
    "SetVariables": st.lists(
        st.builds(
            lambda one, more: one | more,
            named(),
            st.fixed_dictionaries({"attributeValue": VALUE}, optional={"attributeType": ATTRIBUTE}),
        ),
        min_size=1,
        max_size=4,
    ).map(lambda items: {"setVariableData": items}),
    "GetBaseReport": st.fixed_dictionaries(
        {
            "requestId": NUMBER,
            "reportBase": st.sampled_from(["FullInventory", "ConfigurationInventory", "SummaryInventory"]),
        }
    ),
    "GetReport": st.fixed_dictionaries(
        {"requestId": NUMBER},
        optional={
            "componentVariable": st.lists(named(), min_size=1, max_size=3),
            "componentCriteria": st.lists(
                st.sampled_from(["Active", "Available", "Enabled", "Problem"]), min_size=1, max_size=4
            ),
        },
    ),
    "ChangeAvailability": st.fixed_dictionaries(
        {"operationalStatus": st.sampled_from(["Operative", "Inoperative"])},
        optional={"evse": st.fixed_dictionaries({"id": NUMBER}, optional={"connectorId": CONNECTOR})},
    ),
    "SendLocalList": st.fixed_dictionaries(
        {"versionNumber": NUMBER, "updateType": UPDATES}, optional={"localAuthorizationList": CARDS_2X}
    ),
    "GetLocalListVersion": st.just({}),
}


def calls(version: Version) -> st.SearchStrategy[list[tuple[str, dict[str, Any]]]]:
    """Some calls of a service, one after another."""
    known = CALLS_16 if version is V16 else CALLS_2X
    return st.lists(
        st.sampled_from(sorted(known)).flatmap(lambda action: st.tuples(st.just(action), known[action])),
        min_size=1,
        max_size=5,
    )


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def all_of(out: Outstation, made: list[tuple[str, dict[str, Any]]]) -> None:
    for action, payload in made:
        answer = await call(out, action, **payload)
        assert_each_has_a_result(payload, answer)


def assert_each_has_a_result(payload: dict[str, Any], answer: dict[str, Any]) -> None:
    """One for each, about the same (B05.FR.01 to .03, B06.FR.01 to .03)."""
    for asked, told in (("getVariableData", "getVariableResult"), ("setVariableData", "setVariableResult")):
        if asked in payload:
            assert [subject(item) for item in answer[told]] == [subject(item) for item in payload[asked]]


def subject(item: dict[str, Any]) -> tuple[object, str]:
    """What a result is about, blanks aside: the variable that was asked for, and which attribute of it."""
    trimmed = {
        part: {key: value.strip() if isinstance(value, str) else value for key, value in item[part].items()}
        for part in ("component", "variable")
    }
    return trimmed, item.get("attributeType", "Actual")


@pytest.mark.parametrize("charger", EACH)
@pytest.mark.parametrize("service", EACH)
@given(data=st.data())
@quick
def test_a_service_without_management_changes_nothing_in_the_charger(
    service: Version, charger: Version, data: st.DataObject
) -> None:
    made = data.draw(calls(service))

    async def work() -> None:
        out = served(service, charger)
        await all_of(out, made)
        assert changes(out) == []
        assert out.station.control.holders == {}
        assert out.station.memory.operative

    run(work())


@pytest.mark.parametrize("service", EACH)
@given(data=st.data())
@quick
def test_what_it_set_is_its_own_and_stands_after_a_restart(service: Version, data: st.DataObject) -> None:
    """What is written down holds all of it: the settings a service reads do not hang on anything else of ours."""
    made = data.draw(calls(service))

    async def work() -> None:
        out = served(service)
        await all_of(out, made)
        again = served(service)
        kept = out.virtual
        again.virtual = Virtual(kept.service, kept.charger, dict(kept.settings), set(kept.inoperative), kept.local_list)
        action = "GetConfiguration" if service is V16 else "GetVariables"
        payload: dict[str, Any] = {} if service is V16 else {"getVariableData": [variable(n) for n in READ]}
        assert await call(again, action, **payload) == await call(out, action, **payload)
        assert await call(again, "GetLocalListVersion") == await call(out, "GetLocalListVersion")

    run(work())


READ = ["SampledDataCtrlr.TxUpdatedInterval", "SampledDataCtrlr.TxUpdatedMeasurands", "LocalAuthListCtrlr.Entries"]
