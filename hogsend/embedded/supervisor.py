"""The foreground programs behind `./run up`, `./run demo` and `./run manage`."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from hogsend.embedded import endpoints, ports
from hogsend.embedded.banner import ready_banner
from hogsend.embedded.components import REPOSITORY, Setup, manage, setup_from, state_directory
from hogsend.embedded.engines import engines_for
from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.launch import PRODUCT, Program, publish, running, state_held, with_engines
from hogsend.embedded.lifeline import tied_to_parent
from hogsend.embedded.signals import Interrupted, Signals
from hogsend.embedded.stack import Stack, say

INTERRUPTED = 130
_WITHOUT_DATABASE = {"help", "version", "--help", "-h", "--version"}


def main(arguments: Sequence[str]) -> int:
    """Run one command; a sentence on stderr and 1 when it cannot be done."""
    commands: dict[str, Callable[[Sequence[str]], int]] = {"up": up, "demo": demo, "manage": run_manage}
    try:
        return commands[arguments[0]](arguments[1:])
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1


def up(arguments: Sequence[str], program: Program = PRODUCT) -> int:
    """Run the product in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="./run up", description="Run the whole product in the foreground.")
    parser.add_argument("--verbose", action="store_true", help="show the children's logs, each line with its name")
    options = parser.parse_args(arguments)
    started, ready = time.monotonic(), False
    setup = setup_from(os.environ)
    try:
        with (
            Signals() as signals,
            state_held(setup, "up"),
            running(setup, program, signals, verbose=options.verbose) as product,
        ):
            ready = True
            logs = str(setup.state_dir / "logs")
            say(ready_banner(product.facts, seconds=time.monotonic() - started, logs=logs))
            product.stack.watch()
    except Interrupted:
        return 0 if ready else INTERRUPTED
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Run ``manage.py demo`` against a fresh stack of its own; with ``--keep`` the stack stays until Ctrl-C.

    Standard output belongs to the command; what the stack says goes to standard error.
    """
    with contextlib.redirect_stdout(sys.stderr):
        return _demo(arguments)


def run_manage(arguments: Sequence[str]) -> int:
    """Run manage.py, with embedded engines for its duration when no others are at hand."""
    command = [sys.executable, str(REPOSITORY / "manage.py"), *arguments]
    if not _needs_engines(arguments):
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    setup = setup_from(os.environ)
    with Signals() as signals, state_held(setup, f"manage {arguments[0]}"):
        engines = engines_for(setup.state_dir, setup.environ)
        stack = Stack(engines, signals)
        setup = with_engines(setup, engines)
        try:
            stack.start_engines()
            publish(setup)
            return _in_foreground(command, setup)
        except Interrupted:
            return INTERRUPTED
        finally:
            stack.stop()


def _demo(arguments: Sequence[str]) -> int:
    keep, passed = "--keep" in arguments, [argument for argument in arguments if argument != "--keep"]
    setup = _demo_setup()
    started, code = time.monotonic(), INTERRUPTED
    try:
        with Signals() as signals, state_held(setup, "demo", wipe=True), running(setup, PRODUCT, signals) as product:
            say(f"A fresh stack is ready at {product.facts['base_url']} after {time.monotonic() - started:.1f} s.")
            key = ("--api-key", product.facts["ingest_key"])
            where = ("--base-url", product.facts["base_url"], "--state-dir", str(setup.state_dir))
            code = product.stack.run(manage(product.setup, "demo", "demo", *where, *key, *passed))
            if keep:
                logs = str(setup.state_dir / "logs")
                say(ready_banner(product.facts, seconds=time.monotonic() - started, logs=logs))
                product.stack.watch()
    except Interrupted:
        return code
    return code


def _demo_setup() -> Setup:
    """A state directory, a port and engines of its own, whatever the environment names."""
    given = {"DATABASE_URL", "REDIS_URL", "API_PUBLIC_URL", "HOGSEND_OUTBOX_DIR"} & os.environ.keys()
    if given:
        say(f"The demo uses engines and addresses of its own; {', '.join(sorted(given))} are left out.")
    environ = {name: value for name, value in os.environ.items() if name not in given}
    preferred = setup_from(environ)
    state_dir = state_directory(environ) / "demo"
    return setup_from(environ, state_dir=state_dir, port=ports.free_port(preferred.host, preferred.port))


def _needs_engines(arguments: Sequence[str]) -> bool:
    if not arguments or _WITHOUT_DATABASE.intersection(arguments):
        return False
    if os.environ.get("HOGSEND_ENV") == "production" or (
        os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")
    ):
        return False
    return endpoints.current(state_directory(os.environ)) is None


def _in_foreground(command: list[str], setup: Setup) -> int:
    """Run ``command`` with the terminal; Ctrl-C is for it alone, SIGTERM is passed on."""
    process = subprocess.Popen(
        command,
        env=dict(setup.environ),
        cwd=REPOSITORY,
        preexec_fn=tied_to_parent(signal.SIGTERM),  # noqa: PLW1509 - nothing here runs threads
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: process.send_signal(received))
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
