"""Find what adopters declare: the modules of one name in every installed app."""

import pkgutil
from importlib import import_module
from types import ModuleType

from django.apps import apps
from django.utils.module_loading import module_has_submodule


def discover_modules(name: str) -> list[str]:
    """Import ``<app>.<name>`` of every installed app and, if it is a package, each module directly inside it.

    Returns the names of the imported modules in the order of INSTALLED_APPS. An error inside a module is raised as
    it is: content that cannot be imported stops the start. Calling it again imports nothing twice.
    """
    found: list[str] = []
    for config in apps.get_app_configs():
        if config.module is None or config.label == name or not module_has_submodule(config.module, name):
            continue
        module = import_module(f"{config.name}.{name}")
        found += [module.__name__, *_import_inside(module)]
    return found


def _import_inside(package: ModuleType) -> list[str]:
    names = sorted(entry.name for entry in pkgutil.iter_modules(getattr(package, "__path__", [])))
    return [import_module(f"{package.__name__}.{name}").__name__ for name in names]
