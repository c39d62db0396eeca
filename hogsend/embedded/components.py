"""The processes of the product beside its engines: web server, workers, beat."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.processes import ProcessSpec, Steps

REPOSITORY = Path(__file__).resolve().parents[2]
# Every child carries it, so that a later start recognises what a killed supervisor left behind.
MARK = "SUPERVISED_STATE_DIR"
WORKER_STEPS: Steps = ((signal.SIGTERM, 2.5), (signal.SIGQUIT, 1.0))


@dataclass(frozen=True)
class Setup:
    """What a stack needs to know: where its state lives, where it listens, and the environment of its children."""

    state_dir: Path
    host: str
    port: int
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where the children say they can be reached."""
        return self.environ["API_PUBLIC_URL"]


def setup_from(environ: Mapping[str, str], *, state_dir: Path | None = None, port: int | None = None) -> Setup:
    """Read what the stack needs from ``environ``; raises EmbeddedError for a malformed port."""
    given = environ.get("HOGSEND_PORT", "").strip() or "8000"
    if not given.isdecimal() or not 0 < int(given) < 65536:  # noqa: PLR2004 - the range of ports
        raise EmbeddedError(f"HOGSEND_PORT is {given!r}; it must be a port number between 1 and 65535.")
    chosen = port or int(given)
    host = environ.get("HOGSEND_HOST", "").strip() or "127.0.0.1"
    state = (state_dir or state_directory(environ)).absolute()
    url = environ.get("API_PUBLIC_URL", "").strip().rstrip("/") or f"http://127.0.0.1:{chosen}"
    children = {
        **environ,
        "API_PUBLIC_URL": url,
        "HOGSEND_HOST": host,
        "HOGSEND_PORT": str(chosen),
        "HOGSEND_STATE_DIR": str(state),
        "PYTHONUNBUFFERED": "1",
        MARK: str(state),
    }
    return Setup(state, host, chosen, children)


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where the state lives: HOGSEND_STATE_DIR, or ``.state`` in the repository."""
    return Path(environ.get("HOGSEND_STATE_DIR", "").strip() or REPOSITORY / ".state").absolute()


def product_processes(setup: Setup) -> list[ProcessSpec]:
    """Return what runs on top of the engines, in the order of their start."""
    return [
        _python(setup, "web", web_command(setup), stop_rank=1, stop_steps=((signal.SIGTERM, 2.0),)),
        _worker(setup, "journeys", queues="journeys,mail", concurrency=2),
        _worker(setup, "bulk", queues="bulk", concurrency=1),
        _python(
            setup,
            "beat",
            ("celery", "-A", "hogsend", "beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler",
             "--pidfile", "", "--loglevel", "INFO"),
            stop_steps=((signal.SIGTERM, 1.0),),
            death_signal=signal.SIGKILL,
        ),
    ]  # fmt: skip


def web_command(setup: Setup) -> tuple[str, ...]:
    """Return the module and arguments of the server that HOGSEND_SERVER names."""
    server = setup.environ.get("HOGSEND_SERVER", "").strip() or "granian"
    if server == "granian":
        return ("granian", "--interface", "wsgi", "--host", setup.host, "--port", str(setup.port), "--workers", "2",
                "--blocking-threads", "16", "--workers-kill-timeout", "1", "--respawn-failed-workers", "--no-ws",
                "hogsend.wsgi:application")  # fmt: skip
    if server == "gunicorn":
        return ("gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "16", "--bind",
                f"{setup.host}:{setup.port}", "--graceful-timeout", "2", "hogsend.wsgi:application")  # fmt: skip
    raise EmbeddedError(f"HOGSEND_SERVER is {server!r}; it must be granian or gunicorn.")


def manage(setup: Setup, name: str, *arguments: str, log: Path | None = None) -> ProcessSpec:
    """Return one of manage.py's commands as a child of the stack."""
    return ProcessSpec(
        name=name,
        command=(sys.executable, str(REPOSITORY / "manage.py"), *arguments),
        environ=setup.environ,
        cwd=REPOSITORY,
        log=log,
    )


def _worker(setup: Setup, name: str, *, queues: str, concurrency: int) -> ProcessSpec:
    command = ("celery", "-A", "hogsend", "worker", "--hostname", f"{name}@%h", "--queues", queues,
               "--concurrency", str(concurrency), "--pool", "prefork", "--loglevel", "INFO",
               "--without-gossip", "--without-mingle", "--without-heartbeat")  # fmt: skip
    return _python(setup, f"worker-{name}", command, stop_rank=2, stop_steps=WORKER_STEPS, death_signal=signal.SIGQUIT)


def _python(
    setup: Setup,
    name: str,
    module: tuple[str, ...],
    *,
    stop_steps: Steps,
    stop_rank: int = 0,
    death_signal: signal.Signals = signal.SIGTERM,
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-m", *module),
        environ=setup.environ,
        cwd=REPOSITORY,
        log=setup.state_dir / "logs" / f"{name}.log",
        stop_steps=stop_steps,
        stop_rank=stop_rank,
        death_signal=death_signal,
    )
