"""Changing a value of either sort, a dataclass or a Struct: ``copy.replace`` of Python 3.13."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """A copy of ``value`` with some fields changed."""
    if isinstance(value, msgspec.Struct):
        return cast("T", msgspec.structs.replace(value, **changes))
    return dataclasses.replace(cast("Any", value), **changes)
