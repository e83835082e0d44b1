"""What stands before every page and answer: who is let through, and what browsers are told about each answer."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocpp_mqtt_proxy.adapters.web.access import Access, is_cross_site
from ocpp_mqtt_proxy.adapters.web.pages import login_page

OPEN = frozenset({"/health", "/login"})
"""Paths that need no login; the page's own files are open too."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    # Not no-referrer: a browser would then send `Origin: null` with our own login form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

HOW_TO_LOG_IN = (
    "log in with the link that `ocpp-mqtt-proxy login` prints, or send the header "
    "`Authorization: Bearer <http.api_token>`"
)
WAIT = {"Retry-After": "60"}


@dataclass
class Guard:
    """An ASGI application around another."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through; either way the answer gets our headers."""
        refusal = self._refusal(Request(scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        ingress = self.access.is_ingress(request)
        if self.access.on_ingress_port(request) and not ingress:
            return refused(403, "only Home Assistant's ingress is served here")
        if not ingress and is_cross_site(request):
            return refused(403, "a request of another site's page")
        path = request.scope["path"]
        if path in OPEN or path.startswith("/static/") or self.access.allows(request):
            return None
        if self.access.must_wait(request):
            return refused(429, "too many wrong tokens; wait a minute", WAIT)
        return _who_are_you(request)


def _who_are_you(request: Request) -> Response:
    """A browser gets the form, where its links lead home; everybody else is told what to send."""
    challenge = {"WWW-Authenticate": "Bearer"}
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and request.scope["path"].count("/") == 1:
        return HTMLResponse(login_page(), 401, challenge)
    return refused(401, HOW_TO_LOG_IN, challenge)


def refused(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal, or a fault, as JSON."""
    return JSONResponse({"detail": why}, status, headers)
