"""What comes in and goes out: small bodies that come soon, and JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import orjson
from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, ValidationError

from ocpp_mqtt_proxy import shapes

MAX_BODY = 4096
"""Bytes of a request's body; nothing that is asked for here is longer."""

BODY_SECONDS = 10.0


def json(document: shapes.Json) -> Response:
    """An answer."""
    return Response(shapes.dump(document), media_type="application/json")


async def body_of(request: Request) -> bytes:
    """A request's body, which is small and comes soon. Raises HTTPException 413, 408."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise HTTPException(413, f"the body is longer than {MAX_BODY} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_SECONDS:g} s") from None
    return body


M = TypeVar("M", bound=BaseModel)


def model_of(body: bytes, model: type[M]) -> M:
    """What a JSON body asks for. Raises HTTPException 400, which says what is wrong with it."""
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".lstrip(": ") for fault in error.errors())
        raise HTTPException(400, "; ".join(faults)) from None


def field_of(body: bytes, name: str) -> str:
    """A text of a JSON object. Raises HTTPException 400."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    value = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(value, str) or not value:
        raise HTTPException(400, f'the body must be {{"{name}": "<its id>"}}')
    return value
