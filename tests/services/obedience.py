"""What the tests of settings, reports, availability and lists share: chargers with settings, and calls of services."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ocpp_mqtt_proxy.core.commands import GetConfiguration, Order, Outcome, Reason, SetConfiguration, done, refused
from ocpp_mqtt_proxy.core.model import Place, Variable, Version
from ocpp_mqtt_proxy.core.sharing import ControlClass, Rules
from ocpp_mqtt_proxy.ocppj import schema, settings
from ocpp_mqtt_proxy.ocppj.dialect import settled
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.fakes import an_arbitration, providers
from tests.services.fakes import a_served_hub, an_outstation, charger_of

V16, V201, V21 = Version
EACH = list(Version)
READS = (GetConfiguration,)

KEYS = {
    "ConnectionTimeOut": "120",
    "MeterValueSampleInterval": "15",
    "LocalPreAuthorize": "false",
    "ConnectorPhaseRotation": "0.RST,1.RST",
    "LightIntensity": "80",
    "AuthorizationKey": "a-secret-of-the-chargers",
    "BackendPassword": "another-one",
    "CentralSystemURL": "ws://proxy/CP1",
    "SecurityProfile": "0",
}
"""What a 1.6 charger has set."""

MODEL = {
    name: Variable(name, value, readonly=readonly, component=name.partition(".")[0].partition("@")[0], place=place)
    for name, value, readonly, place in [
        ("TxCtrlr.EVConnectionTimeOut", "120", False, None),
        ("SampledDataCtrlr.TxUpdatedInterval", "15", False, None),
        ("AuthCtrlr.LocalPreAuthorize", "false", False, None),
        ("Connector@1:1.Available", "true", True, Place(1, 1)),
        ("Connector@1:1.ConnectorType", "cType2", True, Place(1, 1)),
        ("SecurityCtrlr.BasicAuthPassword", "a-secret-of-the-chargers", False, None),
        ("SecurityCtrlr.SecurityProfile", "0", True, None),
    ]
}
"""What a 2.x charger reported of itself."""


def has_settings(order: Order) -> Outcome:
    """A charger's answers: it has the settings above, and sets what it has."""
    if isinstance(order, GetConfiguration):
        wanted = {settings.key(name): name for name in order.names} or {key: key for key in KEYS}
        values = {name: KEYS[key] for key, name in wanted.items() if key in KEYS}
        return done(values=values, readonly=["ConnectorPhaseRotation"])
    if isinstance(order, SetConfiguration):
        return settled({name: "RebootRequired" if name == "LightIntensity" else "Accepted" for name, _ in order.values})
    return done(charger_status="Accepted")


def served(
    service: Version = V16,
    charger: Version = V16,
    *,
    roles: Iterable[ControlClass] = (ControlClass.TRANSACTIONS,),
    answer: Callable[[Order], Outcome] = has_settings,
    **plan: Any,
) -> Outstation:
    """A service without `management` unless it is among the roles, and a charger that has settings."""
    rules = Rules(providers=providers("billing", roles=frozenset(roles)))
    out = an_outstation(service, charger, arbitration=an_arbitration(a_served_hub(), rules), **plan)
    charger_of(out).answer = answer
    if charger is not V16:
        out.station.memory.inventory = dict(MODEL)
        out.station.memory.inventory_of = out.station.memory.nameplate.firmware
    return out


def refuses_everything(_: Order) -> Outcome:
    """A charger that says no."""
    return refused(Reason.CHARGER_REJECTED, "no")


def changes(out: Outstation) -> list[Order]:
    """What the charger was asked that is more than a look."""
    return [order for order in charger_of(out).asked if not isinstance(order, READS)]


async def call(out: Outstation, action: str, **payload: Any) -> dict[str, Any]:
    """A service's call and our answer, both of which fit their schemas."""
    assert schema.check(out.version, action, payload) is None
    answer = await obey(out, action, payload)
    fault = schema.check(out.version, action, answer, response=True)
    assert fault is None, f"{action} {answer}: {fault}"
    return answer


def variable(name: str, instance: str | None = None, component_instance: str | None = None) -> dict[str, Any]:
    """A component and a variable by `Component.Variable`."""
    component, _, rest = name.partition(".")
    return {
        "component": {"name": component} | ({"instance": component_instance} if component_instance else {}),
        "variable": {"name": rest} | ({"instance": instance} if instance else {}),
    }


async def got(out: Outstation, name: str, **more: Any) -> tuple[str, str | None]:
    """The status and value of a variable, as a 2.x service reads it."""
    answer = await call(out, "GetVariables", getVariableData=[variable(name) | more])
    (result,) = answer["getVariableResult"]
    return result["attributeStatus"], result.get("attributeValue")


async def set_to(out: Outstation, name: str, value: str, **more: Any) -> str:
    """What becomes of a variable that a 2.x service sets."""
    answer = await call(out, "SetVariables", setVariableData=[variable(name) | {"attributeValue": value} | more])
    (result,) = answer["setVariableResult"]
    return str(result["attributeStatus"])


async def key_of(out: Outstation, key: str) -> str | None:
    """The value of a key, as a 1.6 service reads it; None where it is unknown."""
    answer = await call(out, "GetConfiguration", key=[key])
    return next((entry["value"] for entry in answer["configurationKey"]), None)


async def changed(out: Outstation, key: str, value: str) -> str:
    """What becomes of a key that a 1.6 service sets."""
    return str((await call(out, "ChangeConfiguration", key=key, value=value))["status"])
