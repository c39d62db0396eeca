"""The address the web server takes, and whether it answers there."""

import http.client
import socket

from hogsend.embedded.errors import EmbeddedError

_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared, never bound


def require_free(host: str, port: int) -> None:
    """Raise EmbeddedError if another program listens on ``host`` and ``port``."""
    if not is_free(host, port):
        raise EmbeddedError(
            f"Port {port} on {host} is already in use by another program. "
            f"Stop that program, or choose another port: HOGSEND_PORT={port + 1} ./run up"
        )


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except PermissionError as error:
            raise EmbeddedError(f"Port {port} may not be used by this user; choose one above 1023.") from error
        except OSError:
            return False
    return True


def free_port(host: str, preferred: int) -> int:
    """Return ``preferred`` if it is free, otherwise any port that is."""
    if is_free(host, preferred):
        return preferred
    with socket.create_server((host, 0)) as candidate:
        return int(candidate.getsockname()[1])


def answers(host: str, port: int) -> bool:
    """Say whether the web server answers its health question."""
    connection = http.client.HTTPConnection("127.0.0.1" if host in _ANYWHERE else host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
