import sys
from pathlib import Path

import pytest
from django.apps import apps

from emails.definitions import registry
from emails.discovery import discover
from hogsend.discovery import discover_modules
from hogsend.lib.registry import FrozenRegistryError

DECLARATION = 'from emails.definitions import Email\n\nemail = Email("{0}", category="journey")\n'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch, settings):
    """An adopter's app of its own, installed for the length of the test."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    yield tmp_path / "shop"
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.fixture
def install(shop, settings):
    def install():
        settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "content"] + ["shop"]

    yield install
    apps.clear_cache()


def test_a_module_of_the_name_is_imported(shop, install):
    (shop / "emails.py").write_text(DECLARATION.format("one"))
    install()

    found = discover_modules("emails")

    assert found == ["shop.emails"]
    assert "one" in registry


def test_a_package_is_walked_one_level(shop, install):
    (shop / "emails" / "deeper").mkdir(parents=True)
    for name, words in {
        "__init__": "",
        "b": DECLARATION.format("b"),
        "a": DECLARATION.format("a"),
        "deeper/__init__": "",
        "deeper/c": "1 / 0",
    }.items():
        (shop / "emails" / f"{name}.py").write_text(words)
    install()

    assert discover_modules("emails") == ["shop.emails", "shop.emails.a", "shop.emails.b", "shop.emails.deeper"]
    assert [email.id for email in registry][-2:] == ["a", "b"]


def test_an_app_without_the_module_is_passed_over(install):
    install()

    assert discover_modules("emails") == []


def test_the_engines_own_app_of_the_name_is_not_content(install):
    install()

    assert not [name for name in discover_modules("journeys") if name.startswith("journeys")]


def test_content_that_cannot_be_imported_stops_the_start(shop, install):
    (shop / "emails.py").write_text("import nothing_of_this_name")

    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        install()


def test_after_discovery_nothing_can_be_declared(shop, install):
    install()
    discover()

    (shop / "emails.py").write_text(DECLARATION.format("late"))
    with pytest.raises(FrozenRegistryError):
        discover_modules("emails")
