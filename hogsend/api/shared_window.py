"""The sliding minute that all processes share: one atomic script in Redis, by the clock of Redis."""

from functools import cached_property
from typing import NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from hogsend.api.window import SECONDS

PATIENCE = 0.25  # seconds for Redis to answer, before the request goes on without it
# State: a flat list of second, how much, and the millisecond of the last of it. A lease never takes more than a tenth
# of the room, so that close to the limit everybody counts one by one.
SCRIPT = """
local limit, cost, more, life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)
local old = redis.call('GET', KEYS[1])
local slots, used = {}, 0
if old then
  local kept = cmsgpack.unpack(old)
  for i = 1, #kept, 3 do
    if kept[i + 2] > now - life then
      local n = #slots
      slots[n + 1], slots[n + 2], slots[n + 3] = kept[i], kept[i + 1], kept[i + 2]
      used = used + kept[i + 1]
    end
  end
end
local n = #slots
if cost < 0 then
  if n > 0 then
    local back = math.min(-cost, slots[n - 1])
    slots[n - 1], used = slots[n - 1] - back, used - back
    redis.call('SET', KEYS[1], cmsgpack.pack(slots), 'PX', life)
  end
  return {0, limit - used, 0}
end
local room = limit - used
if cost > room then
  local wait, missing = life, cost - room
  for i = 1, n, 3 do
    wait, missing = slots[i + 2] + life - now, missing - slots[i + 1]
    if missing <= 0 then break end
  end
  return {0, math.max(room, 0), math.max(wait, 1)}
end
local granted = cost + math.min(more, math.floor((room - cost) / 10))
if granted > 0 then
  if n > 0 and slots[n - 2] == second then
    slots[n - 1], slots[n] = slots[n - 1] + granted, now
  else
    slots[n + 1], slots[n + 2], slots[n + 3] = second, granted, now
  end
  redis.call('SET', KEYS[1], cmsgpack.pack(slots), 'PX', life)
end
return {granted, room - granted, 0}
"""


class Grant(NamedTuple):
    """What Redis granted (0 is a refusal), the room that is left, and the seconds until there is enough."""

    granted: int
    room: int
    wait: float


class SharedWindow:
    """The windows of all keys, by name. Raises redis.RedisError, OSError or ValueError when Redis is away."""

    def __init__(self, url: str) -> None:
        self._url = url

    def take(self, name: str, *, limit: int, cost: int, more: int = 0) -> Grant:
        """Take ``cost`` or nothing, and up to ``more`` beyond it. A negative cost gives back what was taken last."""
        milliseconds = int(SECONDS * 1000)
        granted, room, wait = self._script(keys=[f"hogsend:rate:{name}"], args=[limit, cost, more, milliseconds])
        return Grant(granted, room, wait / 1000)

    @cached_property
    def _script(self) -> Script:
        # One new attempt on a connection that died while it lay idle; none after a time-out.
        again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        client = redis.Redis.from_url(self._url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=again)
        return client.register_script(SCRIPT)
