"""Versions of a journey: the one that people get who enter now, and those kept for the people on the way."""

from collections.abc import Mapping
from typing import Final

from hogsend.lib.playable import fault_of

MOST: Final = 2**31 - 1


def fault_of_versions(version: object, keep: object) -> str | None:
    """Say what is wrong with a version and the kept ones, as the end of a sentence about their journey."""
    if not _is_version(version):
        return f"has version={version!r}; give a whole number from 1 on"
    if not isinstance(keep, Mapping):
        return "has a keep that names no versions; write keep={1: run_v1}"
    return next((fault for number, run in keep.items() if (fault := _fault_of_kept(number, run, version))), None)


def _fault_of_kept(number: object, run: object, version: object) -> str | None:
    if not _is_version(number):
        return f"keeps the version {number!r}; give whole numbers from 1 on, like keep={{1: run_v1}}"
    if number == version:
        return f"keeps version {number}, which is the current one; raise version, or take {number} out of keep"
    fault = fault_of(run)
    return f"keeps a version {number} that {fault}" if fault else None


def _is_version(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST
