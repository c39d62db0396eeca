"""A project in PostHog that writes down what it is told."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.storm.mortality import STATE

TOLD = STATE / "posthog.log"


class Project(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sent = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        with TOLD.open("a") as told:
            told.writelines(f"{one['distinct_id']} {one['uuid']} {one['event']}\n" for one in sent["batch"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def serve() -> str:
    """Serve as long as this process lives; return the address."""
    server = HTTPServer(("127.0.0.1", 0), Project)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def told_of(distinct_id: str) -> list[str]:
    """Return the names of what it was told of somebody; what comes again under one id is the same."""
    lines = TOLD.read_text().splitlines() if TOLD.exists() else []
    known = {line for line in lines if line.startswith(f"{distinct_id} ")}
    return sorted(line.split(" ")[2] for line in known)
