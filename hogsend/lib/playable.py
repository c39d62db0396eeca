"""Functions that a journey can play: ``def run(user, ctx)``."""

import inspect


def fault_of(run: object) -> str | None:
    """Say what keeps ``run`` from being played, as the end of a sentence about its owner."""
    if not inspect.isfunction(run):
        return "needs a function: def run(user, ctx)"
    if inspect.iscoroutinefunction(run) or inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run):
        return "must be a plain function; remove async and yield"
    try:
        inspect.signature(run).bind(None, None)
    except TypeError:
        return "must take two arguments: def run(user, ctx)"
    return None
