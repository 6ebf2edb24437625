"""Which modules of Asterisk our routines and the service need. Pure.

Where an application or a function is, ``core show application`` does not say; the table does, and
a test holds it to everything that the rendered dialplan uses, and a real Asterisk to the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

ARI_MODULES: Final = (
    *("app_stasis", "res_ari", "res_ari_applications", "res_ari_asterisk", "res_ari_bridges"),
    *("res_ari_channels", "res_ari_events", "res_ari_playbacks", "res_http_websocket"),
    *("res_stasis", "res_stasis_answer", "res_stasis_playback", "res_stasis_snoop"),
)
ALWAYS: Final = ("bridge_simple", "format_wav", "pbx_config")

_MODULE_OF: Final[Mapping[str, str]] = {
    "AGI": "res_agi",
    "ARRAY": "func_strings",
    "CALLERID": "func_callerid",
    "CDR": "func_cdr",
    "CDR_PROP": "func_cdr",
    "CHANNEL": "func_channel",
    "CONNECTEDLINE": "func_callerid",
    "CUT": "func_cut",
    "Dial": "app_dial",
    "ExecIf": "app_exec",
    "FILE": "func_env",
    "FIELDQTY": "func_strings",
    "FILTER": "func_strings",
    "Gosub": "app_stack",
    "IF": "func_logic",
    "LOCAL": "app_stack",
    "MASTER_CHANNEL": "func_channel",
    "MixMonitor": "app_mixmonitor",
    "PJSIP_HEADER": "res_pjsip_header_funcs",
    "Playback": "app_playback",
    "Playtones": "app_playtones",
    "REGEX": "func_strings",
    "Return": "app_stack",
    "STAT": "func_env",
    "STRFTIME": "func_strings",
    "Stasis": "app_stasis",
    "StopMixMonitor": "app_mixmonitor",
    "StopPlaytones": "app_playtones",
    "TIMEOUT": "func_timeout",
    "TOLOWER": "func_strings",
    "TryExec": "app_exec",
    "UserEvent": "app_userevent",
}
_ONLY_WITH: Final[Mapping[str, str]] = {"res_pjsip_header_funcs": "chan_pjsip"}
"""What is used on channels of one kind alone."""
_TONE: Final = re.compile(r"B\(\d+\)")
"""MixMonitor's option for a tone in mid-call needs a module of its own."""
_NAME: Final = re.compile(r"(?<![\w^])([A-Za-z_]+)\(")
_CODE: Final = re.compile(r"(?m)^(?:exten =>| same =>).*$")


def names_used(dialplan: str) -> set[str]:
    """The applications and functions in our routines; names of ours and labels among them."""
    return {name for line in _CODE.findall(dialplan) for name in _NAME.findall(line)}


def needed_by(dialplan: str, *, tones: bool) -> set[str]:
    """The modules that a rendered dialplan needs; ``tones``: some policy asks for a tone."""
    modules = {_MODULE_OF[name] for name in names_used(dialplan) if name in _MODULE_OF}
    return {*modules, *ALWAYS, *({"func_periodic_hook"} if tones or _TONE.search(dialplan) else ())}


def not_running(needed: set[str], there: Mapping[str, str]) -> Iterator[str]:
    """Those of the modules that Asterisk does not run, sorted; ``there``: status by file name."""

    def runs(module: str) -> bool:
        return there.get(f"{module}.so", there.get(module)) == "Running"

    for module in sorted(needed):
        other = _ONLY_WITH.get(module)
        if not runs(module) and (other is None or runs(other)):
            yield module


def keeps_records(there: Mapping[str, str]) -> bool:
    """Whether any module writes CDRs or CEL somewhere."""
    return any(
        name.startswith(("cdr_", "cel_")) and status == "Running" for name, status in there.items()
    )
