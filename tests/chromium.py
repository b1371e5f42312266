"""Debian's chromium without a window or a network, driven through the Chrome DevTools Protocol
(https://chromedevtools.github.io/devtools-protocol):

    with chromium.page() as page:
        page.open("build/report/report.html")
        page.set_viewport(390, 844, dark=True)
        width = page.evaluate("document.documentElement.scrollWidth")
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT = 60  # seconds until an answer: only a hang takes so long
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-extensions",
           "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"]


class Error(Exception):
    """Chromium does not start or answer, or the page threw something."""


def require():
    """Ends the program as a test that is skipped (CTest: SKIP_RETURN_CODE 77) without Chromium."""
    if shutil.which("chromium") is None:
        print("Skipped: there is no chromium here; install Debian's package of this name", file=sys.stderr)
        sys.exit(77)


@contextlib.contextmanager
def page():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        ours, theirs = socket.socketpair()
        command = f'exec chromium "$@" 3<&{theirs.fileno()} 4>&{theirs.fileno()}'  # it reads 3, writes 4
        process = subprocess.Popen(["bash", "-c", command, "bash", f"--user-data-dir={scratch}", *OPTIONS],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        try:
            yield Page(ours)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            ours.close()


class Page:
    def __init__(self, pipe):
        self.errors = []    # what the console shows as errors, and exceptions that nobody caught
        self.requests = []  # the addresses that the page asked for, without itself and data: URLs
        self._pipe, self._unread, self._id, self._to = pipe, b"", 0, {}
        self._address, self._loaded = "", False
        pipe.settimeout(TIMEOUT)
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._to = {"sessionId": attached["sessionId"]}
        for domain in "Page", "Runtime", "Log", "Network":
            self.command(f"{domain}.enable")

    def open(self, path):
        """Opens a file, and returns when all of it is there."""
        self._address, self._loaded = Path(path).resolve().as_uri(), False
        failure = self.command("Page.navigate", url=self._address).get("errorText")
        if failure:
            raise Error(f"{self._address}: {failure}")
        while not self._loaded:
            self._receive("the page's load")

    def evaluate(self, expression):
        """The value of JavaScript; of a promise, once it is kept."""
        answer = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Error(_thrown(answer))
        return answer["result"].get("value")

    def set_viewport(self, width, height, dark=False):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def print_pdf(self):
        """The page on A4."""
        answer = self.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        return base64.b64decode(answer["data"])

    def screenshot(self):
        """What the viewport shows, as PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot")["data"])

    def command(self, method, **parameters):
        """Any command of the protocol: its result."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": parameters, **self._to}
        with contextlib.suppress(ConnectionError):  # that it has ended is said below
            self._pipe.sendall(json.dumps(message).encode() + b"\0")
        while (answer := self._receive(method)).get("id") != self._id:
            pass
        if "error" in answer:
            raise Error(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _receive(self, awaited):
        while b"\0" not in self._unread:
            try:
                received = self._pipe.recv(1 << 20)
            except ConnectionError:
                received = b""
            except socket.timeout:
                raise Error(f"chromium does not answer: {awaited} took more than {TIMEOUT} s") from None
            if not received:
                raise Error(f"chromium has ended before {awaited}; does it start by hand, with --headless?")
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(message)
        self._note(message.get("method"), message.get("params"))
        return message

    def _note(self, event, what):
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Runtime.exceptionThrown":
            self.errors.append(_thrown(what))
        elif event == "Runtime.consoleAPICalled" and what["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(it.get("value", it.get("description"))) for it in what["args"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.errors.append(f"{what['entry']['text']} {what['entry'].get('url', '')}".strip())
        elif event == "Network.requestWillBeSent":
            address = what["request"]["url"]
            if not address.startswith("data:") and address != self._address:
                self.requests.append(address)


def _thrown(what):
    details = what["exceptionDetails"]
    return details.get("exception", {}).get("description", details["text"])
