from pathlib import Path


def current(state_dir: Path) -> dict[str, str] | None:
    return None


def celery_broker_url(redis_url: str) -> str:
    return redis_url
