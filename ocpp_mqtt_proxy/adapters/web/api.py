"""The API and the page, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any, Protocol
from urllib.parse import parse_qsl

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from starlette.types import ASGIApp

from ocpp_mqtt_proxy import __version__, exports, monthly, shapes
from ocpp_mqtt_proxy.adapters.web import pages
from ocpp_mqtt_proxy.adapters.web.access import COOKIE, COOKIE_LIFETIME, Access, address_of
from ocpp_mqtt_proxy.adapters.web.bodies import body_of, field_of, json
from ocpp_mqtt_proxy.adapters.web.control import ControlApi
from ocpp_mqtt_proxy.adapters.web.description import document
from ocpp_mqtt_proxy.adapters.web.filters import Filters, MonthAsked, TotalsAsked, faults_of
from ocpp_mqtt_proxy.adapters.web.guard import WAIT, Guard, refused
from ocpp_mqtt_proxy.adapters.web.plans import PlanApi
from ocpp_mqtt_proxy.adapters.web.services import ServiceApi
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.passwords import token_hash
from ocpp_mqtt_proxy.ports import Clock, LedgerFailed

PAGE = 100
"""Sessions on a page where nobody says how many."""


class Page(Protocol):
    """Some sessions."""

    @property
    def sessions(self) -> list[Session]:
        """The sessions."""

    @property
    def cursor(self) -> str | None:
        """Where the next page begins."""


class Books(Protocol):
    """Where sessions and logins are kept."""

    async def page(self, **wanted: Any) -> Page:  # noqa: ANN401
        """A page of sessions. Raises ProxyError for a cursor that is none; LedgerFailed."""

    def every(self, **wanted: Any) -> AsyncIterator[Session]:  # noqa: ANN401
        """Every session that passes, in constant memory. Raises ProxyError, at once, for a cursor that is none."""

    async def totals(self, by: str, **wanted: Any) -> tuple[list[Sum], bool]:  # noqa: ANN401
        """Totals by provider, tag or month, and whether all sessions are in them by now. Raises LedgerFailed."""

    async def month(self, month: str) -> monthly.Month:
        """A month's report. Raises ProxyError for a month that is none; LedgerFailed."""

    async def use_login(self, code_hash: str) -> bool:
        """Whether a one-time login is good; it is used up by that."""


@dataclass
class Web:
    """What the API shows and does. `status` and `faults` are asked anew each time.

    `tell_login` is told from which address somebody logged in.
    """

    access: Access
    books: Books
    clock: Clock
    zone: tzinfo
    status: Callable[[], shapes.Json]
    faults: Callable[[], list[str]]
    accept_charger: Callable[[str], None]
    control: ControlApi
    services: ServiceApi
    plans: PlanApi
    metrics: Callable[[], Iterable[str]]
    tell_login: Callable[[str], None] = lambda _: None

    def app(self) -> ASGIApp:
        """The ASGI application."""
        return Guard(api_of(self), self.access)

    def mount(self, app: FastAPI) -> None:
        """Add the routes to an application; each stands in `description.OPERATIONS` too."""
        shown: dict[str, Callable[..., Any]] = {
            "/": self._page,
            "/status": self._status,
            "/sessions": self._sessions,
            "/sessions.csv": self._sessions_csv,
            "/api/totals": self._totals,
            "/api/report": self._report,
            "/health": self._health,
            "/metrics": self._metrics,
            "/docs": self._docs,
            "/openapi.json": self._openapi,
            "/login": self._login,
            "/static/{name}": self._static,
        }
        for path, show in shown.items():
            app.add_api_route(path, show, methods=["GET", "HEAD"])
        app.post("/login")(self._login_by_token)
        app.post("/api/chargers/accept")(self._accept)
        self.control.mount(app)
        self.services.mount(app)
        self.plans.mount(app)

    # What is shown

    async def _page(self) -> Response:
        return HTMLResponse(pages.page())

    async def _static(self, name: str) -> Response:
        if name not in pages.MEDIA_TYPES:
            raise HTTPException(404)
        return Response(pages.file(name), media_type=pages.MEDIA_TYPES[name])

    async def _status(self) -> Response:
        return json(self.status())

    async def _metrics(self) -> Response:
        text = ""
        for part in self.metrics():
            text += part
            await asyncio.sleep(0)  # chargers go first
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _docs(self) -> Response:
        return HTMLResponse(pages.docs_page())

    async def _openapi(self) -> Response:
        return json(document())

    async def _health(self) -> Response:
        faults = self.faults()
        return JSONResponse({"status": "unhealthy" if faults else "ok", "reasons": faults}, 503 if faults else 200)

    async def _sessions(self, asked: Annotated[Filters, Query()]) -> Response:
        page = await self.books.page(**asked.wanted(self.zone), limit=asked.limit or PAGE)
        now = self.clock.now()
        return json({"sessions": [shapes.session(s, now) for s in page.sessions], "next": page.cursor})

    async def _sessions_csv(self, asked: Annotated[Filters, Query()]) -> Response:
        found = self.books.every(**asked.wanted(self.zone))
        lines = exports.as_csv(_first(found, asked.limit), self.clock.now())
        headers = {"Content-Disposition": 'attachment; filename="sessions.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    async def _totals(self, asked: Annotated[TotalsAsked, Query()]) -> Response:
        sums, complete = await self.books.totals(asked.by, **asked.wanted())
        return json({"by": asked.by, "totals": exports.totals(asked.by, sums), "complete": complete})

    async def _report(self, asked: Annotated[MonthAsked, Query()]) -> Response:
        report = await self.books.month(asked.month)
        if asked.format == "json":
            return json(monthly.as_json(report))
        lines = monthly.as_csv(report) if asked.format == "csv" else monthly.as_html(report)
        headers = {"Content-Disposition": f'attachment; filename="{report.month}.{asked.format}"'}
        return Response("".join(lines), media_type=f"text/{asked.format}; charset=utf-8", headers=headers)

    # Logging in

    async def _login(self, request: Request, code: str = "") -> Response:
        """The form; with a code from the command line, in by that. A HEAD, as of link previews, uses nothing up."""
        if not code or request.method == "HEAD":
            return HTMLResponse(pages.login_page())
        if not await self.books.use_login(token_hash(code)):
            return HTMLResponse(pages.login_page("This link was used before, or is older than ten minutes."), 401)
        return self._logged_in(request)

    async def _login_by_token(self, request: Request) -> Response:
        fields = dict(parse_qsl((await body_of(request)).decode("utf-8", "replace")))
        if self.access.is_token(request, fields.get("token", "")):
            return self._logged_in(request)
        if self.access.must_wait(request):
            return HTMLResponse(pages.login_page("Too many attempts; wait a minute."), 429, WAIT)
        return HTMLResponse(pages.login_page("This is not the token."), 401)

    def _logged_in(self, request: Request) -> Response:
        self.tell_login(address_of(request))
        led_here = request.headers.get("sec-fetch-site") == "cross-site"
        response = HTMLResponse(pages.onward_page()) if led_here else RedirectResponse("./", 303)
        response.set_cookie(
            COOKIE,
            self.access.cookie(),
            max_age=int(COOKIE_LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    # What is done

    async def _accept(self, request: Request) -> Response:
        """The click that an unknown charger waits for."""
        charger = field_of(await body_of(request), "charger")
        self.accept_charger(charger)
        return JSONResponse({"success": True})


def api_of(web: Web) -> FastAPI:
    """The API and the page, without their guard."""
    app = FastAPI(
        title="OCPP MQTT Proxy",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # our own stands in `description.py`
        redirect_slashes=False,  # a redirect would name our host, which ingress hides
    )
    web.mount(app)
    _explain_errors(app)
    return app


async def _first(sessions: AsyncIterator[Session], limit: int | None) -> AsyncIterator[Session]:
    """The first so many; all where there is no limit."""
    taken = 0
    async for session in sessions:
        yield session
        taken += 1
        if taken == limit:
            return


def _explain_errors(app: FastAPI) -> None:
    """Every error is JSON that says what is wrong."""

    async def bad_query(request: Request, error: Any) -> Response:  # noqa: ANN401
        return refused(400, "; ".join(faults_of(request.scope["route"].path, error)))

    async def bad_request(_: Request, error: Exception) -> Response:
        return refused(400, str(error))

    async def no_books(_: Request, error: Exception) -> Response:
        return refused(503, str(error))

    async def our_fault(_: Request, __: Exception) -> Response:
        return refused(500, "the service failed at this; its log says how")

    app.exception_handler(RequestValidationError)(bad_query)
    app.exception_handler(ProxyError)(bad_request)
    app.exception_handler(LedgerFailed)(no_books)
    app.exception_handler(Exception)(our_fault)
