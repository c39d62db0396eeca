"""Path converters of our addresses, registered under their names when the API's app is ready."""

from django.urls import register_converter
from django.urls.converters import StringConverter, get_converters


class SegmentConverter(StringConverter):
    """``<segment:list_id>``: an id in a path, which may hold percent-encoded slashes (``a%2Fb`` is ``a/b``).

    Servers decode the path before Django sees it, so the slashes inside an id look like any other. Whatever follows
    the id in the route (``/subscribe``) tells where it ends; a slash at its end is a trailing slash, and no route.
    """

    regex = r"[^/](?:[^\x00]*[^/])?"


def register_converters() -> None:
    """Make the converters known to ``path()``; once, however often the apps are made ready."""
    if "segment" not in get_converters():
        register_converter(SegmentConverter, "segment")
