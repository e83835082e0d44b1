"""A process that has everything loaded and becomes the program, once per line it reads, in a child: so that a life
begins in a moment. `python -m tests.crash.zygote`

A line is `{"arguments": […], "log": FILE, "death": {…} or null}`. It answers `born PID`, and `dead STATUS` when that
child has ended.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import Any, NoReturn

import uvloop  # noqa: F401 (loaded for its children)

import ocpp_mqtt_proxy.app
from ocpp_mqtt_proxy.__main__ import main
from tests.crash import deaths


def live(order: dict[str, Any]) -> NoReturn:
    """Be the program."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    if order["death"]:
        deaths.prepare(deaths.Death.of(order["death"]))
    os._exit(main(order["arguments"]))


def serve() -> None:
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            live(json.loads(line))
        print(f"born {child}", flush=True)
        try:
            _, status = os.waitpid(child, 0)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        print(f"dead {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    assert ocpp_mqtt_proxy.app
    serve()
