"""Who may ask: only the browser that opened the printed address, on this machine.

A random token in the opened address is exchanged for a cookie that scripts cannot read and other sites cannot send,
and leaves the address bar at once. Every request must name this server as its host (a page elsewhere cannot point its
own name here), and whatever changes something must come from this page itself.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
MOST_BODY = 256 * 1024  # bytes of a request; a note is far shorter
READING = ("GET", "HEAD")
ENTER = (
    "<!doctype html><meta charset=utf-8><title>attune review</title><link rel=icon href='data:,'>"
    "<meta http-equiv=refresh content='0;url=/'><p><a href='/'>Open the review page</a></p>"
)
CLOSED = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>attune review</title><h1>This page is closed</h1>"
    "<p>Open the address that <code>attune review</code> printed when it started: it holds the key.</p></html>"
)

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Gate:
    """Where the page is served and the key to it. The cookie's name holds the port, so that two stores may be open."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def hosts(self) -> tuple[str, str]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie_name(self) -> str:
        return f"attune_review_{self.port}"


def refusal(gate: Gate, method: str, headers: dict[str, str]) -> str:
    """Why a request is turned away before anybody looks at its address; "" where it is not."""
    host = headers.get("host", "")
    if host not in gate.hosts:
        return "wrong host"
    origin = headers.get("origin")
    own = f"http://{host}"
    if origin is not None and origin != own:
        return "wrong origin"
    if headers.get("sec-fetch-site", "none") == "cross-site":
        return "wrong origin"
    if method in READING:
        return ""
    if origin is None:
        return "no origin"
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return "not JSON"
    if not headers.get("content-length", "").isdecimal() or int(headers["content-length"]) > MOST_BODY:
        return "too large"
    return ""


def has_key(gate: Gate, headers: dict[str, str]) -> bool:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    found = cookies.get(gate.cookie_name)
    return found is not None and _same(found.value, gate.cookie)


def has_token(gate: Gate, query: str) -> bool:
    return _same(parse_qs(query).get("token", [""])[0], gate.token)


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())


def guard(app: App, gate: Gate) -> App:
    """The app behind the gate; every answer carries the headers that keep the page to itself."""

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(app, gate, scope, receive, _sealed(send))

    return guarded


async def _answer(app: App, gate: Gate, scope: Scope, receive: Any, send: Any) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    why = refusal(gate, scope["method"], headers)
    if why:
        await _page(send, 403, why, "text/plain")
    elif scope["path"] == "/" and has_token(gate, scope["query_string"].decode("latin-1")):
        key = f"{gate.cookie_name}={gate.cookie}; HttpOnly; SameSite=Strict; Path=/"
        await _page(send, 200, ENTER, "text/html", {"set-cookie": key})
    elif not has_key(gate, headers):
        await _page(send, 403, CLOSED, "text/html")
    else:
        await app(scope, receive, send)


async def _page(send: Any, status: int, text: str, kind: str, more: dict[str, str] | None = None) -> None:
    headers = {"content-type": f"{kind}; charset=utf-8", **(more or {})}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": text.encode()})


def _sealed(send: Any) -> Any:
    async def sealed(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = [(n, v) for n, v in message.get("headers", []) if n.decode().lower() not in HEADERS]
            seal = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*own, *seal]}
        await send(message)

    return sealed
