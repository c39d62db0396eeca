"""Children that never outlive the process which started them."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_BACK_TO_DEFAULT = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


def tied_to_parent(death_signal: signal.Signals, enter: Callable[[], None] | None = None) -> Callable[[], None]:
    """Return a ``preexec_fn``: usual signals, then ``enter``, then ``death_signal`` on the parent's death.

    ``enter`` comes before the tie because changing credentials cuts it. Where the kernel knows no such tie
    (macOS) the next start ends what is left.
    """
    parent = os.getpid()

    def prepare() -> None:
        for number in _BACK_TO_DEFAULT:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if enter is not None:
            enter()
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
