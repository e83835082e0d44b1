"""Providers' profiles on disk come back as they were."""

from __future__ import annotations

import orjson
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.store.plans import plan_document, plan_of
from ocpp_mqtt_proxy.core.control import Plan
from ocpp_mqtt_proxy.core.profile import Profile
from tests.core.test_profile import profiles


@given(profile=profiles(), eased=st.booleans())
def test_a_profile_comes_back_as_it_was(profile: Profile, eased: bool) -> None:
    plan = Plan(profile, eased=eased)
    assert plan_of(orjson.loads(orjson.dumps(plan_document(plan)))) == plan
