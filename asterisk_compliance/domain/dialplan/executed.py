"""What a priority of a running dialplan executes, as AMI tells it: values are put in already."""

from __future__ import annotations

import re
from typing import Final

from asterisk_compliance.domain.dialplan.actions import branches
from asterisk_compliance.domain.dialplan.expressions import called, shallow

_NUMBER = re.compile(r"\s*[+-]?[0-9]+")
_DEEPEST: Final = 4
"""``ExecIf()`` inside of each other."""


def executed(application: str, data: str) -> tuple[str, str]:
    """What really runs, in lower case, and its arguments: ``ExecIf()`` and its like run another."""
    app, text = application.lower(), shallow(data)
    for _ in range(_DEEPEST):
        match app:
            case "execif":
                condition, then, other = branches(text)
                text = then if _holds(condition) else other
            case "exec" | "tryexec":
                pass
            case _:
                break
        app, text = called(text)
        app = app.lower()
    return app, text


def _holds(condition: str) -> bool:
    """As Asterisk sees it (main/pbx.c, ``pbx_checkcondition``): a number, or any other text."""
    number = _NUMBER.match(condition)
    return int(number[0][:20]) != 0 if number else bool(condition)
