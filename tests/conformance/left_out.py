"""Priority-1 cases that do not apply to us, each with its reason."""

from __future__ import annotations

_PROFILES = "security profiles 2 and 3 towards chargers come later"
_ACCEPTED = "a charger that may come in is accepted at once: we answer no boot with Pending or Rejected (Part 5, AQ-1)"

_BOTH_UNITS = "for stations that lack a unit: a service may give A and W"
_THEIRS = "how we come in at a service (password, security profile) is its owner's configuration, for no service to set"

_ALL_STATES = "a boot goes with every link, and after one all states are told, however short the outage (B01.FR.05)"

LEFT_OUT = {
    "TC_A_04_CSMS": _PROFILES,
    "TC_A_06_CSMS": _PROFILES,
    "TC_A_07_CSMS": _PROFILES,
    "TC_A_08_CSMS": _PROFILES,
    "TC_A_19_CSMS": _PROFILES,
    "TC_B_02_CSMS": _ACCEPTED,
    "TC_B_30_CSMS": _ACCEPTED,
    "TC_B_31_CSMS": _ACCEPTED,
    "16_CS_SEC_TLS": _PROFILES,
    "16_CS_SEC_CLIENT": _PROFILES,
    "16_CS_SEC_UPGRADE": _PROFILES,
    "TC_A_09_CS": _THEIRS,
    "TC_A_19_CS": _THEIRS,
    "TC_B_52_CS": _ALL_STATES,
    "TC_K_12_CS": _BOTH_UNITS,
    "TC_K_42_CS": _BOTH_UNITS,
}
