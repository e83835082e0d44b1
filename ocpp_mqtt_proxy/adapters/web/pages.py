"""The files of the page: HTML, script, style and icon, as they lie in `static/`."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib import resources

MEDIA_TYPES = {
    "app.js": "text/javascript",
    "control.js": "text/javascript",
    "docs.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""What a browser may fetch."""


@cache
def file(name: str) -> bytes:
    """A file's contents."""
    return resources.files(__package__).joinpath("static", name).read_bytes()


def page() -> str:
    """The page."""
    return file("index.html").decode()


def docs_page() -> str:
    """The API described, for people; its script reads `/openapi.json`."""
    return file("docs.html").decode()


def login_page(message: str = "") -> str:
    """The form for the token, with a message where something was wrong."""
    return file("login.html").decode().replace("{message}", escape(message))


def onward_page() -> str:
    """A page that goes on to the page by itself.

    A browser that followed a link of another site does not send a SameSite=Strict cookie with a redirect; from
    a page of ours it does.
    """
    return file("onward.html").decode()
