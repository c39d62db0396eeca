"""A supervisor over small children: run by the tests as `python small_stack.py [scenario]`."""

import signal
import sys
from pathlib import Path

from hogsend.embedded import supervisor
from hogsend.embedded.components import Setup
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.launch import Program
from hogsend.embedded.processes import ProcessSpec, Steps
from hogsend.embedded.stack import Stack

WEB = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["HOGSEND_PORT"])), Answer).serve_forever()
"""
WORKER = """
import time
print("working", flush=True)
time.sleep(600)
"""
# Ignores the polite signals and has a child of its own, like a worker with a pool in the middle of a task.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGQUIT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(600)
"""
BROKEN = "print('no module named lists', flush=True); raise SystemExit(3)"
WRITE_PID = (
    "import os, pathlib; pathlib.Path(os.environ['HOGSEND_STATE_DIR'], '{name}.pid').write_text(str(os.getpid()))\n"
)
QUICK: Steps = ((signal.SIGTERM, 0.5), (signal.SIGQUIT, 0.2))


def processes(setup: Setup) -> list[ProcessSpec]:
    worker = STUBBORN if scenario == "stubborn" else WORKER
    return [
        _spec(setup, "web", BROKEN if scenario == "broken" else WEB, rank=1),
        _spec(setup, "worker", worker, rank=2),
        _spec(setup, "beat", WORKER, rank=0),
    ]


def bootstrap(_stack: Stack, setup: Setup) -> dict[str, object]:
    if scenario == "unprepared":
        raise EmbeddedError("The database could not be prepared.")
    return {"base_url": setup.url, "ingest_key": "k", "content": {}}


def _spec(setup: Setup, name: str, program: str, rank: int) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-c", WRITE_PID.format(name=name) + program),
        environ=setup.environ,
        cwd=Path.cwd(),
        log=setup.state_dir / "logs" / f"{name}.log",
        stop_steps=QUICK,
        stop_rank=rank,
        death_signal=signal.SIGKILL,
    )


scenario = sys.argv[1] if len(sys.argv) > 1 else ""
if __name__ == "__main__":
    try:
        code = supervisor.up([], Program(bootstrap, processes))
    except EmbeddedError as error:
        code = str(error)
    sys.exit(code)
