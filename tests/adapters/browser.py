"""A real browser without a window: Chromium, told what to do by its DevTools protocol."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.running import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--mute-audio",
    "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip


@dataclass
class Browser:
    """One page of a browser, and what went on in it: requests, and what the console said."""

    socket: ClientConnection
    session: str = ""
    requests: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def read(self) -> None:
        """Take what the browser tells."""
        async for frame in self.socket:
            message = json.loads(frame)
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
            else:
                self._note(message["method"], message["params"])

    def _note(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Network.responseReceived":
                self.answers[told["response"]["url"]] = told["response"]["status"]
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol; its result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters}
        await self.socket.send(json.dumps(command | ({"sessionId": self.session} if self.session else {})))
        async with asyncio.timeout(PATIENCE):
            message = await answer
        assert "error" not in message, message
        return dict(message["result"])

    async def open_page(self, context: str) -> None:
        target = await self.tell("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.tell("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.tell(f"{domain}.enable")

    async def visit(self, url: str, **headers: str) -> None:
        """Go to a URL; `headers` go with every request from then on."""
        await self.tell("Network.setExtraHTTPHeaders", headers=headers)
        await self.tell("Page.navigate", url=url)

    async def script(self, code: str) -> Any:
        """The value of some JavaScript."""
        result = await self.tell("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, code: str) -> Any:
        """Wait until some JavaScript has a value that says yes, or the page is one where it has; the value.

        A page that goes away takes what was asked of it along, so it is asked again.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(AssertionError):
                        if value := await self.script(code):
                            return value
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"did not come: {code}; the page says {await self.text()}") from None

    async def text(self, selector: str = "body") -> str:
        return str(await self.script(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be of a size, by day or by night."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.tell("Emulation.setEmulatedMedia", features=features)
        await self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[str]:
    """A browser with a profile of its own; where it takes commands, which it writes into its folder."""
    assert CHROMIUM is not None
    arguments = [CHROMIUM, *ARGUMENTS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    file = folder / "DevToolsActivePort"
    try:
        until = time.monotonic() + PATIENCE
        while not (file.exists() and "/devtools/" in file.read_text()):
            assert process.poll() is None, "the browser ended"
            assert time.monotonic() < until, "the browser does not say where it listens"
            time.sleep(0.05)
        port, path = file.read_text().split()
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def page_of(address: str) -> AsyncIterator[Browser]:
    """A page in the browser, with cookies of its own."""
    async with connect(address, max_size=None, ping_interval=None, compression=None) as socket:
        page = Browser(socket)
        reader = asyncio.create_task(page.read())
        context = (await page.tell("Target.createBrowserContext"))["browserContextId"]
        await page.open_page(context)
        try:
            yield page
        finally:
            page.session = ""
            await page.tell("Target.disposeBrowserContext", browserContextId=context)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
