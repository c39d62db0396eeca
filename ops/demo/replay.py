"""Send batches of events over HTTP, as a client would."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from ops.demo.purchases import Purchase

ATTEMPTS = 5
TIMEOUT = 60  # seconds
PAUSE = 0.5  # seconds, doubled with each attempt
WORTH_ANOTHER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
SHOWN = 5  # refusals that are told
Progress = Callable[[int], None]


class ReplayError(RuntimeError):
    """The API cannot be used; the message says why."""


@dataclass
class Replay:
    """What came of sending: how the API answered, and how long it took."""

    sent: int = 0
    stored: int = 0
    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    refused: int = 0

    def percentile(self, part: float) -> float:
        """Return how many milliseconds the given part of the calls took at most."""
        ordered = sorted(self.calls)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def replay(lanes: Sequence[Sequence[Sequence[Purchase]]], *, base_url: str, api_key: str, progress: Progress) -> Replay:
    """Send every lane over a connection of its own, batch after batch. Raises ReplayError."""
    result, lock, started = Replay(), threading.Lock(), time.monotonic()
    stop = threading.Event()

    def send_lane(lane: Sequence[Sequence[Purchase]]) -> None:
        with requests.Session() as session:
            session.headers.update({"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"})
            for batch in lane:
                if stop.is_set():
                    return
                before = time.monotonic()
                answers = _post(session, f"{base_url}/v1/events/batch", batch)
                with lock:
                    result.calls.append(time.monotonic() - before)
                    _count(result, batch, answers)
                    progress(len(batch))

    with ThreadPoolExecutor(max_workers=max(1, len(lanes))) as pool:
        futures = [pool.submit(send_lane, lane) for lane in lanes]
        try:
            for future in futures:
                future.result()
        finally:
            stop.set()
    result.seconds = time.monotonic() - started
    return result


def _post(session: requests.Session, address: str, batch: Sequence[Purchase]) -> list[dict[str, object]]:
    """Send one batch; a lost answer is asked for again, which is safe: every event carries its idempotency key."""
    body = json.dumps([purchase.body for purchase in batch], separators=(",", ":")).encode()
    said = ""
    for attempt in range(ATTEMPTS):
        try:
            response = session.post(address, data=body, timeout=TIMEOUT)
        except requests.RequestException as error:
            said = str(error)
        else:
            if response.status_code == HTTPStatus.ACCEPTED:
                answers: list[dict[str, object]] = response.json()
                return answers
            said = f"{response.status_code}: {response.text[:300]}"
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and response.status_code not in WORTH_ANOTHER:
                break
        time.sleep(PAUSE * 2**attempt)
    raise ReplayError(f"{address} does not take events. It said last: {said}")


def _count(result: Replay, batch: Sequence[Purchase], answers: Sequence[dict[str, object]]) -> None:
    result.sent += len(batch)
    for purchase, answer in zip(batch, answers, strict=True):
        if "error" in answer:
            result.refused += 1
            if len(result.refusals) < SHOWN:
                result.refusals.append(f"line {purchase.number}: {answer['error']}")
        elif answer.get("stored"):
            result.stored += 1
