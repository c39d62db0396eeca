"""The children's logs on the terminal, each line with the name of its process."""

from collections.abc import Mapping
from pathlib import Path


class LogTail:
    """Shows what was added to ``logs`` (name to file) since the last look."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = dict(logs)
        self._offsets = {name: path.stat().st_size if path.exists() else 0 for name, path in logs.items()}

    def show(self) -> None:
        """Print the new complete lines."""
        for name in self._logs:
            for line in self.new_lines(name):
                print(f"{name:<16} {line}", flush=True)

    def new_lines(self, name: str) -> list[str]:
        """Return the complete lines ``name`` has written since the last call; a rotated log is read from its start."""
        path, offset = self._logs[name], self._offsets[name]
        try:
            with path.open("rb") as file:
                file.seek(offset if path.stat().st_size >= offset else 0)
                start = file.tell()
                content = file.read()
        except OSError:
            return []
        complete = content[: content.rfind(b"\n") + 1]
        self._offsets[name] = start + len(complete)
        return complete.decode(errors="replace").splitlines()
