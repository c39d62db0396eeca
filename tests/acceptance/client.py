"""The wire of the reference's published JavaScript client, version 0.7, call by call (spec 1 §15)."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode


class ApiFault(Exception):  # noqa: N818 - the client's own word is not ours to keep
    """What the client raises for an answer that is no 2xx."""

    def __init__(self, status: int, body: Any, retry_after: int | None = None) -> None:
        said = body.get("error") if isinstance(body, dict) else None
        super().__init__(f"{status}: {said}" if said else f"request failed with status {status}")
        self.status, self.body, self.retry_after = status, body, retry_after


class Client:
    """Sends what that client sends and reads what it reads; fields that are not given are left out."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base = base_url.rstrip("/")
        self._key = api_key

    def upsert(self, **fields: Any) -> dict[str, Any]:
        return self._call("PUT", "/v1/contacts", fields)

    def find(self, **query: str) -> list[dict[str, Any]]:
        return self._call("GET", f"/v1/contacts/find?{urlencode(query)}")["contacts"]

    def delete(self, **names: str) -> dict[str, Any]:
        return self._call("DELETE", "/v1/contacts", names)

    def send_event(self, key: str | None = None, **fields: Any) -> dict[str, Any]:
        return self._call("POST", "/v1/events", _keyed(fields, key), key)

    def send_email(self, key: str | None = None, **fields: Any) -> dict[str, Any]:
        return self._call("POST", "/v1/emails", _keyed(fields, key), key)

    def lists(self) -> list[dict[str, Any]]:
        return self._call("GET", "/v1/lists")["lists"]

    def subscribe(self, list_id: str, **names: str) -> bool:
        return self._call("POST", f"/v1/lists/{quote(list_id, safe='')}/subscribe", names)["subscribed"]

    def unsubscribe(self, list_id: str, **names: str) -> bool:
        return self._call("POST", f"/v1/lists/{quote(list_id, safe='')}/unsubscribe", names)["subscribed"] is False

    def _call(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        request = urllib.request.Request(f"{self._base}{path}", data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ApiFault(error.code, _parsed(error.read()), _seconds(error.headers.get("Retry-After"))) from None


def _keyed(fields: dict[str, Any], key: str | None) -> dict[str, Any]:
    return fields if key is None else {**fields, "idempotencyKey": key}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode() or None


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
