"""The API and the page, as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from importlib import resources
from typing import Any, Protocol
from urllib.parse import parse_qsl

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse

from ocpp_mqtt_proxy import __version__, exports, shapes
from ocpp_mqtt_proxy.adapters.web.access import COOKIE, COOKIE_LIFETIME, Access, is_cross_site
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.passwords import token_hash
from ocpp_mqtt_proxy.ports import Clock

OPEN = frozenset({"/health", "/login"})
"""Paths that need no login."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TYPES = {"app.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"}

HOW_TO_LOG_IN = (
    "log in with the link that `ocpp-mqtt-proxy login` prints, or send the header "
    "`Authorization: Bearer <http.api_token>`"
)


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
        """A page of sessions. Raises ProxyError for a cursor that is none."""

    def every(self, **wanted: Any) -> AsyncIterator[Session]:  # noqa: ANN401
        """Every session that passes, in constant memory."""

    async def use_login(self, code_hash: str) -> bool:
        """Whether a one-time login is good; it is used up by that."""


@dataclass
class Web:
    """What the API shows and does. `status` and `health` are asked anew each time."""

    access: Access
    books: Books
    clock: Clock
    zone: tzinfo
    status: Callable[[], shapes.Json]
    faults: Callable[[], list[str]]
    accept_charger: Callable[[str], None]

    def app(self) -> FastAPI:
        """The ASGI application."""
        app = FastAPI(title="OCPP MQTT Proxy", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
        app.middleware("http")(self._guard)
        app.get("/")(self._page)
        app.get("/status")(self._status)
        app.get("/sessions")(self._sessions)
        app.get("/sessions.csv")(self._sessions_csv)
        app.get("/health")(self._health)
        app.get("/login")(self._login)
        app.post("/login")(self._login_by_token)
        app.post("/api/chargers/accept")(self._accept)
        app.get("/static/{name}")(self._static)
        return app

    async def _guard(self, request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = self._refusal(request)
        response = refusal or await go_on(request)
        response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: Request) -> Response | None:
        ingress = self.access.is_ingress(request)
        if self.access.on_ingress_port(request) and not ingress:
            return JSONResponse({"detail": "only Home Assistant's ingress is served here"}, 403)
        if not ingress and is_cross_site(request):
            return JSONResponse({"detail": "a request of another site's page"}, 403)
        path = request.url.path
        if path in OPEN or path.startswith("/static/") or self.access.allows(request):
            return None
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_login_page(""), 401)
        return JSONResponse({"detail": HOW_TO_LOG_IN}, 401, {"WWW-Authenticate": "Bearer"})

    # What is shown

    async def _page(self) -> HTMLResponse:
        return HTMLResponse(_static("index.html").decode())

    async def _static(self, name: str) -> Response:
        if name not in _TYPES:
            raise HTTPException(404)
        return Response(_static(name), media_type=_TYPES[name])

    async def _status(self) -> Response:
        return _json(self.status())

    async def _health(self) -> Response:
        faults = self.faults()
        return JSONResponse({"status": "unhealthy" if faults else "ok", "reasons": faults}, 503 if faults else 200)

    async def _sessions(
        self,
        since: str | None = Query(None, alias="from"),
        until: str | None = Query(None, alias="to"),
        charger: str | None = None,
        provider: str | None = None,
        limit: int = Query(100, ge=1, le=1000),
        cursor: str | None = None,
    ) -> Response:
        try:
            wanted = self._wanted(since, until, charger, provider)
            page = await self.books.page(**wanted, limit=limit, cursor=cursor)
        except ProxyError as error:
            raise HTTPException(400, str(error)) from None
        now = self.clock.now()
        return _json({"sessions": [shapes.session(s, now) for s in page.sessions], "next": page.cursor})

    async def _sessions_csv(
        self,
        since: str | None = Query(None, alias="from"),
        until: str | None = Query(None, alias="to"),
        charger: str | None = None,
        provider: str | None = None,
    ) -> Response:
        try:
            wanted = self._wanted(since, until, charger, provider)
        except ProxyError as error:
            raise HTTPException(400, str(error)) from None
        lines = exports.as_csv(self.books.every(**wanted), self.clock.now())
        headers = {"Content-Disposition": 'attachment; filename="sessions.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    def _wanted(
        self, since: str | None, until: str | None, charger: str | None, provider: str | None
    ) -> dict[str, Any]:
        return {
            "since": exports.when(since, self.zone),
            "until": exports.when(until, self.zone, end=True),
            "charger": charger or None,
            "provider": provider or None,
        }

    # Logging in

    async def _login(self, request: Request, code: str | None = None) -> Response:
        if code is None:
            return HTMLResponse(_login_page(""))
        if self.access.too_many_failures():
            return HTMLResponse(_login_page("Too many attempts; wait a minute."), 429)
        if not await self.books.use_login(token_hash(code)):
            self.access.note_failure()
            return HTMLResponse(_login_page("This link was used before, or is older than ten minutes."), 401)
        return self._logged_in(request)

    async def _login_by_token(self, request: Request) -> Response:
        if self.access.too_many_failures():
            return HTMLResponse(_login_page("Too many attempts; wait a minute."), 429)
        fields = dict(_form(await request.body()))
        if not self.access.is_token(fields.get("token", "")):
            self.access.note_failure()
            return HTMLResponse(_login_page("This is not the token."), 401)
        return self._logged_in(request)

    def _logged_in(self, request: Request) -> Response:
        response = RedirectResponse("./", 303)
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
        fields = await request.json()
        charger = fields.get("charger") if isinstance(fields, dict) else None
        if not isinstance(charger, str) or not charger:
            raise HTTPException(400, 'the body must be {"charger": id}')
        self.accept_charger(charger)
        return JSONResponse({"success": True})


def _json(document: shapes.Json) -> Response:
    return Response(shapes.dump(document), media_type="application/json")


def _static(name: str) -> bytes:
    return resources.files(__package__).joinpath("static", name).read_bytes()


def _login_page(message: str) -> str:
    return _static("login.html").decode().replace("{message}", escape(message))


def _form(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body[:4096].decode("utf-8", "replace"))
