"""Tags as a service can write them down, and back (semantics §5.9).

A tag that is too long for the service's version is never cut, because two could then be the same and a stranger
would charge: a digest stands for it, and a table knows what it stands for.
"""

from __future__ import annotations

from hashlib import sha256

from ocpp_mqtt_proxy.core.model import IdToken, TokenKind, Version
from ocpp_mqtt_proxy.core.peer import remember
from ocpp_mqtt_proxy.services.outstation import Outstation

ROOM = {Version.V16: 20, Version.V201: 36, Version.V21: 255}
"""Characters of a tag (1.6 CiString20Type, 2.x IdTokenType)."""

MOST_TAGS = 1000
"""Long tags remembered per service and charger: whoever holds cards to a reader must not fill the disk."""


def told(out: Outstation, token: IdToken) -> IdToken:
    """A card as the service is told of it."""
    tag = token.tag or (TokenKind.NO_AUTHORIZATION.value if out.version is Version.V16 else "")
    room = ROOM[out.version]
    if len(tag) <= room:
        return token if tag == token.tag else IdToken(tag, token.kind, token.group)
    if token.kind is None and out.version is out.station.version is Version.V16:
        return IdToken(tag[:room], None, token.group)  # a 1.6 charger's tag is no longer than this but by mistake
    return IdToken(_short(out, tag, room), token.kind, token.group)


def meant(out: Outstation, tag: str) -> str:
    """The tag that the service means: what a short one of ours stands for, else what it says."""
    return out.peer.tags.get(tag.lower(), tag)


def _short(out: Outstation, tag: str, room: int) -> str:
    """What stands for a tag: always the same, and for no other."""
    table, attempt = out.peer.tags, 0
    while True:
        short = sha256(f"{tag.lower()}{attempt or ''}".encode()).hexdigest()[:room]
        known = table.get(short)
        if known is not None and known.lower() == tag.lower():
            return short
        if known is None:
            remember(table, short, tag, MOST_TAGS)
            out.keep()
            return short
        attempt += 1
