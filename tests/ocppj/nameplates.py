"""Nameplates of chargers as their users' logs show them (serial numbers left out), and the quirks they have."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.model import Nameplate


def plate(vendor: str, model: str = "", firmware: str = "") -> Nameplate:
    return Nameplate(vendor=vendor, model=model, firmware=firmware)


KNOWN: list[tuple[Nameplate, set[str]]] = [
    (plate("ABB", "CDT_TACW22::NET_WIFI", "TAC3Z9119006710273::V1.8.21"), {"few_measurands", "stack_level_0"}),
    (plate("ABB", "CDT_TACW11::NET_WIFI", "TAC3Z9119006710273::V1.8.32"), {"stack_level_0"}),
    (plate("AEFA", "Home OCPP", "SW:A1B_2.8-HW:B07_0.5"), {"keys_without_values"}),
    (plate("ZJBENY", "BCP-B2N-L", "1.0.23"), {"stray_commas"}),
    (plate("United Chargers", "GRS-*", "05.43"), {"lists_not_begun", "frames_not_closed"}),
    (plate("Wall Box Chargers", "PLP1-0-2-4", "6.7.38"), {"counts_phases", "relative_profiles"}),
    (plate("Wall Box Chargers", "PLP1-0-2-4", "5.17.87"), {"counts_phases", "relative_profiles", "stack_level_0"}),
    (plate("", "ACChargePoint"), {"watts_only"}),
    (plate("Huawei", "SCharger-22KT-S0", "V100R023C10SPC120"), {"watts_only"}),
    (plate("go-e", "Gemini flex 11 kW", "56.8"), {"forgets_first_limit"}),
    (plate("Autel", "MaxiCharger AC"), {"stop_is_final"}),
    (plate("StarCharge", "Artemis"), {"must_ping"}),
    (plate("EV-BOX", "ELVI", "P0424B0424v0.220706_W2.2.0"), {"no_offers_no_soc"}),
    (plate("FoxESS", "A011KP1"), {"speaks_16_on_2x"}),
    (plate("OpenEVSE", "openevse_wifi", "4.1.7"), set()),
    (plate("TEISON", "TeisonMe@7KW", "V1.5@25238bf+100"), set()),
    (plate("Phoenix Contact GmbH & Co. KG", "EV-CC-AC1-M3-CBC-RCM-ETH-3PN-SER"), set()),
    (plate("", ""), set()),
]
