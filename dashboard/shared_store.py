"""Redis as the place where several dashboards share their views: made once, from its address."""

from __future__ import annotations

from typing import Final

from flask_caching.backends import RedisCache

from backend.contract.errors import InvalidInput
from dashboard.data.shared_views import SharedViews, ViewSerializer
from dashboard.data.views import KEEP_SECONDS, Store

VARIABLE: Final = "PULSEBOARD_REDIS_URL"
WAIT_SECONDS: Final = 0.25
"""Longer than any answer from the same network takes; who asks for a view waits for it."""


def shared_store(url: str, memory: Store, prefix: str) -> SharedViews:
    """Views in ``memory`` and in the Redis at ``url``, under keys that begin with ``prefix``. Nothing is asked yet.

    Raises InvalidInput for an address that is none, and where the extra ``redis`` is not installed.
    """
    try:
        import redis
    except ImportError:
        raise InvalidInput(VARIABLE, "", "needs the extra: pip install 'pulseboard[redis]'") from None
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        client = redis.Redis.from_url(
            url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        # Never the address itself: it may hold a password.
        raise InvalidInput(VARIABLE, "", f"is no address such as redis://host:6379/0: {error}") from None
    cache = RedisCache(client, default_timeout=int(KEEP_SECONDS), key_prefix=prefix)
    cache.serializer = ViewSerializer()
    return SharedViews(
        memory, cache, refusals=(redis.RedisError, OSError), unreachable=(redis.ConnectionError, redis.TimeoutError)
    )
