"""Drives headless Chromium over its debugging pipe, with the standard library alone: no port, no driver, no network.

https://chromedevtools.github.io/devtools-protocol/ describes the methods. Scripts run in the page as a developer's console
would run them, so the page's Content Security Policy stays as the product wrote it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_SECONDS = 120
#: Key codes of the keys that tests press (Input.dispatchKeyEvent scrolls nothing without them).
KEYS = {
    "ArrowDown": 40, "ArrowUp": 38, "PageDown": 34, "PageUp": 33, "Home": 36, "End": 35, "Enter": 13, "Escape": 27, "Tab": 9,
}  # fmt: skip
#: What scripts of tests may use.
PRELUDE = """
const settle = (ms = 200) => new Promise((done) => setTimeout(() => requestAnimationFrame(() => setTimeout(done, 0)), ms));
const rows = () => [...document.querySelectorAll("#rows tr[data-position]")];
const cells = (name) => rows().map((row) => row.querySelector(`td.${name}`).textContent);
const control = (name) => document.getElementById("filters").elements[name];
const choose = (name, value) => {
  control(name).value = value;
  control(name).dispatchEvent(new Event("input", { bubbles: true }));
};
const sort = (name) => document.querySelector(`th[data-sort=${name}] button`).click();
const shown = () => document.getElementById("shown").textContent;
const region = document.getElementById("table-region");
const out = {};
"""


def find() -> str | None:
    """The browser's path, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page of the browser. `complaints` has what the browser objected to: policy violations, errors, failed requests."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, parameters, self.session)

    def run(self, script: str) -> dict[str, Any]:
        """Run a script that fills `out`; an exception in it fails the test."""
        expression = f"(async () => {{ {PRELUDE} {script}; return out; }})()"
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        value: dict[str, Any] = answer["result"]["value"]
        return value

    def press(self, key: str) -> None:
        """Press and release a key as a person would: the browser's own reactions follow."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]} | ({"text": "\r"} if key == "Enter" else {})
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **event)

    def emulate(self, media: str = "", **features: str) -> None:
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", media=media, features=named)

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self.call("Page.close")

    def observe(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Network.requestWillBeSent" and not parameters["request"]["url"].startswith(("file:", "blob:")):
            self.complaints.append(f"request to {parameters['request']['url']}")


class Browser:
    """A running Chromium; answers and events come back over the pipe, each ended by a null byte."""

    def __init__(self, to_browser: int, from_browser: int, folder: Path) -> None:
        self.folder = folder
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._tabs: dict[str, Tab] = {}
        self._seen: list[tuple[str, str]] = []

    def open(
        self, page: str, *, fragment: str = "", size: tuple[int, int] = (1440, 1000), javascript: bool = True, **features: str
    ) -> Tab:
        """Load a page in a tab of its own and wait until it is there."""
        source = self.folder / f"page-{self._number}.html"
        source.write_text(page, "utf-8")
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            tab.call(f"{domain}.enable")
        tab.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        tab.call("Emulation.setScriptExecutionDisabled", value=not javascript)
        tab.emulate(**features)
        self._seen.clear()
        tab.call("Page.navigate", url=source.as_uri() + fragment)
        while (session, "Page.loadEventFired") not in self._seen:
            self._take()
        return tab

    def call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._take()).get("id") != number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _take(self) -> dict[str, Any]:
        """The next message; events are passed to their tab on the way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the browser said nothing for {PATIENCE_SECONDS} seconds"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser ended"
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        session, method = message.get("sessionId", ""), message.get("method", "")
        if method:
            self._seen.append((session, method))
            if session in self._tabs:
                self._tabs[session].observe(method, message["params"])
        return message


@contextmanager
def running(folder: Path) -> Iterator[Browser]:
    """A browser with a profile in `folder`, ended with all of its processes when the block ends."""
    path = find()
    assert path is not None
    read_by_browser, to_browser = os.pipe()
    from_browser, written_by_browser = os.pipe()
    arguments = [path, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    inherited = tuple(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (read_by_browser, written_by_browser))
    home = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(folder))
    process = os.posix_spawn(path, arguments, os.environ | home, file_actions=_file_actions(*inherited))
    for descriptor in (read_by_browser, written_by_browser, *inherited):
        os.close(descriptor)
    browser = Browser(to_browser, from_browser, folder)
    try:
        yield browser
        browser.call("Browser.close", {})
    finally:
        os.close(to_browser)  # the browser ends when its pipe does, whatever happened before
        os.close(from_browser)
        os.waitpid(process, 0)


def _file_actions(commands: int, answers: int) -> list[tuple[Any, ...]]:
    """Chromium reads its commands from descriptor 3 and answers on 4; the other three go nowhere."""
    nowhere = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in (0, 1, 2)]
    return [*nowhere, (os.POSIX_SPAWN_DUP2, commands, 3), (os.POSIX_SPAWN_DUP2, answers, 4)]
