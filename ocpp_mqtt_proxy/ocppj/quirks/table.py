"""The quirks of real chargers, one row each. What nobody is harmed by is on for all, the rest by nameplate."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.limit_orders import ProfileForm
from ocpp_mqtt_proxy.core.model import CURRENT, CURRENT_OFFERED, ENERGY, POWER, POWER_OFFERED, SOC, VOLTAGE
from ocpp_mqtt_proxy.core.traits import STOP_IS_FINAL, Traits
from ocpp_mqtt_proxy.ocppj.quirks import shapes, texts, values
from ocpp_mqtt_proxy.ocppj.quirks.rows import Match, Quirk

_GRIZZL_E = Match(vendor=r"united chargers|grizzl"), Match(model=r"^GRS-")
_WALLBOX = Match(vendor=r"^wall ?box")

QUIRKS: tuple[Quirk, ...] = (
    # Frames that are no JSON
    Quirk(
        "byte_order_mark",
        wrong="a byte order mark in front of a frame",
        remedy="it is dropped",
        source=("constructed",),
        always=True,
        text=texts.without_mark,
    ),
    Quirk(
        "half_characters",
        wrong="half of a surrogate pair, escaped: text was cut between its two halves",
        remedy="the sign for an unreadable character stands for it",
        source=("constructed",),
        always=True,
        text=texts.whole_characters,
    ),
    Quirk(
        "endless_numbers",
        wrong="a number beyond what a double can hold (1e400)",
        remedy="the field is left out",
        source=("constructed",),
        always=True,
        text=texts.finite_numbers,
    ),
    Quirk(
        "keys_without_values",
        wrong='a key without a value: "transactionId":,',
        remedy="it gets null, which is then left out",
        source=("lbbrhzn/ocpp#2032",),
        matches=(Match(vendor=r"^AEFA"),),
        text=texts.values_for_keys,
    ),
    Quirk(
        "lists_not_begun",
        wrong='a list without its opening bracket: "configurationKey":]',
        remedy="it gets one",
        source=("kccricket's notes on Grizzl-E",),
        matches=_GRIZZL_E,
        text=texts.lists_begun,
    ),
    Quirk(
        "frames_not_closed",
        wrong='a frame that breaks off: {"configurationKey":[]',
        remedy="what was begun is ended",
        source=("lbbrhzn/ocpp#176", "lbbrhzn/ocpp#442"),
        matches=_GRIZZL_E,
        text=texts.closed,
    ),
    Quirk(
        "stray_commas",
        wrong='a comma before the first of a list: "sampledValue":[,{…}]',
        remedy="it is dropped",
        source=("lbbrhzn/ocpp#1078",),
        matches=(Match(vendor=r"beny"), Match(model=r"^BCP-")),
        text=texts.no_stray_commas,
    ),
    Quirk(
        "not_a_number",
        wrong="NaN or Infinity, which JSON does not have",
        remedy="the field is left out",
        source=("constructed",),
        text=texts.numbers_only,
    ),
    Quirk(
        "control_characters",
        wrong="a tab or line end in the middle of a string",
        remedy="it is read as if it were escaped",
        source=("constructed",),
        text=texts.no_controls,
    ),
    # Values that break their schema
    Quirk(
        "times_as_numbers",
        wrong="a time as seconds or milliseconds since 1970",
        remedy="read as that time",
        source=("constructed",),
        always=True,
        value=values.time_for_a_number,
    ),
    Quirk(
        "numbers_for_text",
        wrong="a sampled value as a number",
        remedy="read as text",
        source=("mobilityhouse/ocpp#377", "OpenEVSE/openevse_esp32_firmware#335", "lbbrhzn/ocpp#210"),
        always=True,
        value=values.text_for_a_number,
    ),
    Quirk(
        "text_for_numbers",
        wrong='a number, or true and false, as text: "connectorId":"1"',
        remedy="read as what it says",
        source=("constructed",),
        always=True,
        value=values.number_for_a_text,
    ),
    Quirk(
        "fractions",
        wrong='a fraction where a whole number belongs: "meterStop":26008.333',
        remedy="it is rounded",
        source=("shiv3/ocpp-cp-simulator#83",),
        always=True,
        value=values.whole_number,
    ),
    Quirk(
        "objects_for_lists",
        wrong="one object where a list of such belongs",
        remedy="it is a list of one",
        source=("lbbrhzn/ocpp#1144",),
        always=True,
        value=values.list_of_one,
    ),
    Quirk(
        "nulls",
        wrong="null where a field should be left out",
        remedy="the field is left out",
        source=("constructed",),
        always=True,
        value=values.no_null,
    ),
    Quirk(
        "spellings",
        wrong="a word in another case or spelling: available, Transaction.Start, C, Hz, Amp, Volt",
        remedy="the word that was meant",
        source=("OpenEVSE/openevse_esp32_firmware#726", "lorenzodonini/ocpp-go#273", "lbbrhzn/ocpp#1576"),
        always=True,
        value=values.word_as_spelled,
    ),
    Quirk(
        "speaks_16_on_2x",
        wrong="boots, states and readings in the shape of 1.6 on an OCPP 2.x socket",
        remedy="read as the same in the shape of 2.x",
        source=("lbbrhzn/ocpp#2050",),
        matches=(Match(vendor=r"fox ?ess"),),
        messages=shapes.SIXTEEN_ON_TWO,
    ),
    # What we do differently
    Quirk(
        "few_measurands",
        wrong="it reboots once it has to read all measurands that it accepts",
        remedy="only those known to be safe are set",
        source=("lbbrhzn/ocpp#1275",),
        matches=(Match(vendor=r"^ABB", firmware=r"V1\.([0-7]\.|8\.(1?\d|2[01])$)"),),
        traits=Traits(measurands=(CURRENT, CURRENT_OFFERED, ENERGY, POWER, VOLTAGE)),
    ),
    Quirk(
        "counts_phases",
        wrong="its longest list of measurands counts each phase; what is beyond gets lost silently",
        remedy="energy, power, current and voltage alone are set",
        source=("evcc-io/evcc", "lbbrhzn/ocpp"),
        matches=(_WALLBOX,),
        traits=Traits(measurands=(ENERGY, POWER, CURRENT, VOLTAGE)),
    ),
    Quirk(
        "no_offers_no_soc",
        wrong="it does not bear to be asked for what it offers, nor for the state of charge",
        remedy="these are taken out of what is set",
        source=("lbbrhzn/ocpp#221",),
        matches=(Match(vendor=r"ev-?box", model=r"elvi"),),
        traits=Traits(never_read=frozenset({CURRENT_OFFERED, POWER_OFFERED, SOC})),
    ),
    Quirk(
        "stack_level_0",
        wrong="it refuses its own highest stack level",
        remedy="profiles are put at level 0 first",
        source=("evcc-io/evcc", "lbbrhzn/ocpp"),
        matches=(Match(vendor=r"^ABB"), Match(vendor=r"^wall ?box", firmware=r"^v?5\.")),
        traits=Traits(forms=(ProfileForm(0),)),
    ),
    Quirk(
        "relative_profiles",
        wrong="it takes no profile with a start time",
        remedy="relative profiles are tried first",
        source=("evcc-io/evcc#15581",),
        matches=(_WALLBOX,),
        traits=Traits(forms=(ProfileForm(0, relative=True),)),
    ),
    Quirk(
        "watts_only",
        wrong="it refuses limits in A",
        remedy="limits in W are tried first",
        source=("evcc-io/evcc#19001",),
        matches=(Match(vendor=r"huawei"), Match(vendor=r"^$", model=r"^ACChargePoint")),
        traits=Traits(forms=(ProfileForm(0, in_watts=True),)),
    ),
    Quirk(
        "must_ping",
        wrong="it gets stuck unless it is told how often to ping",
        remedy="its ping interval is set though it does not tell of one",
        source=("evcc-io/evcc",),
        matches=(Match(vendor=r"star ?charge"),),
        traits=Traits(pings_unasked=True),
    ),
    Quirk(
        "forgets_first_limit",
        wrong="it ignores the limit that ends a pause",
        remedy="that limit is sent twice",
        source=("goecharger/go-eCharger-API-v2#155",),
        matches=(Match(vendor=r"^go-?e\b"),),
        traits=Traits(repeats_limits=True),
    ),
    Quirk(
        STOP_IS_FINAL,
        wrong="after a stop it starts again only once the cable was out (Finishing)",
        remedy="switching off pauses at 0 A instead of stopping",
        source=("lbbrhzn/ocpp#2072",),
        matches=(Match(vendor=r"autel|ocular"),),
        traits=Traits(pauses_to_stop=True),
    ),
)
