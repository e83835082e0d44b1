"""The override and the decisions over HTTP, with the whole service behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.arbitration import owner, wishes
from ocpp_mqtt_proxy.arbitration.watch import review
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.requests import Start
from tests.adapters.raw import knocking
from tests.running import Running, running

pytestmark = pytest.mark.integration

HOME: dict[str, Any] = {
    "providers": [{"id": "fleet", "presence": "any"}, {"id": "night", "presence": "any"}],
    "blocked_providers": ["bad"],
}


async def asked(service: Running, body: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.app.port}") as client:
        return await client.post("/override", json=body)


async def test_control_is_handed_to_a_provider_taken_and_given_back(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        handed = await asked(service, {"backend_id": "fleet"})
        assert handed.json() == {"success": True, "owner": "fleet", "reason": None, "message": ""}
        taken = await asked(service, {"mode": "owner", "charger": "CP1"})
        assert taken.json()["owner"] == "owner"
        back = await asked(service, {"mode": "auto"})
        assert (back.json()["success"], back.json()["owner"]) == (True, "none")


@pytest.mark.parametrize(("provider", "reason"), [("bad", "blocked"), ("nobody", "not_allowed")])
async def test_one_that_may_not_gets_no_control_and_nothing_changes(tmp_path: Path, provider: str, reason: str) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        await asked(service, {"backend_id": "fleet"})
        answer = (await asked(service, {"backend_id": provider})).json()
        assert (answer["success"], answer["reason"]) == (False, reason)
        assert service.app.hub.station("CP1").control.mode == "fleet"


async def test_a_charger_that_nobody_knows_is_said_so(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service:
        assert (await asked(service, {"mode": "owner"})).json()["reason"] == "unknown_charger"
        assert (await asked(service, {"mode": "owner", "charger": "CP9"})).json()["reason"] == "unknown_charger"


BAD = [{}, [], {"mode": "fleet"}, {"mode": "owner", "backend_id": "x"}, {"backend_id": ""}, {"backend_id": 1}, {"a": 1}]


@pytest.mark.parametrize("body", BAD, ids=str)
async def test_what_is_no_override_is_explained(tmp_path: Path, body: Any) -> None:
    async with running(tmp_path, None, **HOME) as service:
        answer = await asked(service, body)
        assert answer.status_code == 400
        assert answer.json()["detail"]


async def test_decisions_are_listed_newest_first_with_what_they_were_made_by(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        service.app.hub.station("CP1").sole()
        await asked(service, {"mode": "owner"})
        for provider in ("fleet", "night"):
            refusal = await wishes.start(service.app.arbitration, provider, "CP1", Start(connector=1))
            assert refusal.reason == "override"
        await service.app.store.flush()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.app.port}") as client:
            page = (await client.get("/api/decisions", params={"limit": 1})).json()
            (last,) = page["decisions"]
            assert (last["provider"], last["asked"], last["verdict"]) == ("night", "start", "refused")
            assert (last["reason"], last["inputs"]["mode"]) == ("override", "owner")
            rest = (await client.get("/api/decisions", params={"before": page["next"]})).json()
            assert [one["provider"] for one in rest["decisions"]] == ["fleet"]
            only = (await client.get("/api/decisions", params={"provider": "fleet"})).json()
            assert len(only["decisions"]) == 1
            assert (await client.get("/api/decisions", params={"limit": 0})).status_code == 400


async def decisions(service: Running) -> list[tuple[str, str, str, str | None]]:
    """The audit log, oldest first: who, what was asked, the verdict and its reason."""
    await service.app.store.flush()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.app.port}") as client:
        found = (await client.get("/api/decisions", params={"limit": 1000})).json()["decisions"]
    return [(one["provider"], one["asked"], one["verdict"], one["reason"]) for one in reversed(found)]


async def test_what_is_granted_and_what_is_given_back_are_in_the_audit_log(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        await wishes.request_control(service.app.arbitration, "fleet", "CP1", [ControlClass.TRANSACTIONS])
        await wishes.release_control(service.app.arbitration, "fleet", "CP1", [ControlClass.TRANSACTIONS])
        assert await decisions(service) == [
            ("fleet", "request_control", "granted", None),
            ("fleet", "release_control", "granted", None),
            ("fleet", "revoke", "revoked", "released"),
        ]


async def test_what_the_owner_hands_over_and_takes_is_in_the_audit_log(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        for mode in ({"backend_id": "fleet"}, {"backend_id": "fleet"}, {"mode": "owner"}, {"mode": "auto"}):
            await asked(service, mode)
        assert await decisions(service) == [
            ("fleet", "hand_over", "granted", None),
            ("fleet", "revoke", "revoked", "override"),
        ]


async def test_what_the_watch_takes_away_is_in_the_audit_log_and_is_no_refusal(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOME) as service, knocking(service.app.port, "/CP1", ["ocpp1.6"]):
        arbitration = service.app.arbitration
        await wishes.request_control(arbitration, "fleet", "CP1", [ControlClass.TRANSACTIONS])
        await owner.set_enabled(arbitration, "fleet", on=False)
        await review(arbitration, service.app.hub.station("CP1"))
        assert (await decisions(service))[-1] == ("fleet", "revoke", "revoked", "disabled")
        assert await service.app.store.refusals() == {}
