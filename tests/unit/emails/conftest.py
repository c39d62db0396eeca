from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from emails.definitions import registry
from emails.render import MailLinks, Recipient


@pytest.fixture(autouse=True)
def _empty_registry():
    with registry.scratch():
        registry._items.clear()
        yield


@pytest.fixture
def write(tmp_path: Path, settings) -> Callable[..., None]:
    """Write the templates of an e-mail: ``write("hello", subject_txt="Hi", body_html="<p>Hi</p>")``."""
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = templates

    def write(email_id: str, **files: str) -> None:
        folder = tmp_path / "emails" / email_id
        folder.mkdir(parents=True, exist_ok=True)
        for name, words in files.items():
            (folder / name.replace("_", ".")).write_text(words)

    return write


@pytest.fixture
def links() -> MailLinks:
    return MailLinks(
        "https://mail.example/v1/email/unsubscribe?token=a.b", "https://mail.example/v1/email/preferences?token=c.d"
    )


@pytest.fixture
def ada() -> Recipient:
    return Recipient("ada@example.com", "Ada", {"plan": "pro"})
