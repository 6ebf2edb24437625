"""Writes the configuration of one Asterisk of the lab, from the templates in ``conf/``."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

AMI_EVENTS = (
    "AttendedTransfer",
    "BlindTransfer",
    "BridgeEnter",
    "BridgeLeave",
    "DialBegin",
    "DialEnd",
    "Hangup",
    "LocalBridge",
    "MixMonitorMute",
    "MixMonitorStart",
    "MixMonitorStop",
)
"""All that the service's AMI user is sent, beside a ``UserEvent`` of our own."""

_LOADED = """
app_blind_transfer app_bridgewait app_cdr app_channelredirect app_chanspy app_confbridge app_dial
app_directed_pickup app_echo
app_exec app_forkcdr app_if app_milliwatt app_mixmonitor app_originate app_playback app_playtones
app_queue app_read app_record app_senddtmf app_softhangup app_stack app_stasis app_transfer
app_userevent app_verbose app_waitforsilence app_while
bridge_* cdr_csv chan_bridge_media chan_pjsip chan_rtp
codec_a_mu codec_alaw codec_g722 codec_resample codec_ulaw
format_pcm format_sln format_wav func_* pbx_config
res_agi res_ari* res_clioriginate res_convert res_crypto res_http_websocket res_limit
res_musiconhold res_mutestream res_parking res_pjproject res_pjsip* res_rtp_asterisk
res_rtp_multicast res_sorcery_astdb res_sorcery_config res_sorcery_memory* res_stasis* res_speech
res_timing_timerfd res_websocket_client
""".split()  # noqa: SIM905 - easier to read
_NOT_LOADED = """
func_aes func_blacklist func_curl func_enum func_odbc func_realtime func_speex func_vmcount
res_pjsip_geolocation res_pjsip_history res_pjsip_notify res_pjsip_phoneprov_provider
res_pjsip_publish_asterisk res_pjsip_stir_shaken res_pjsip_t38 res_pjsip_transport_websocket
res_pjsip_config_wizard res_pjsip_xpidf_body_generator res_pjsip_*_supplement
res_stasis_broadcast res_stasis_test
""".split()  # noqa: SIM905 - easier to read
"""Need what the lab has not, or cost time."""
_EMPTY = ("acl", "ccss", "cel", "confbridge", "pjproject", "stasis", "udptl", "websocket_client")
"""Asterisk's defaults; without the file it complains in its log."""


def write_conf(
    etc: Path, values: Mapping[str, Any], overriding: Mapping[str, str], modules_dir: Path
) -> None:
    """Write every file of Asterisk's configuration.

    Args:
        etc: Existing directory to write to.
        values: What the templates ask for; a missing one is an error.
        overriding: Whole files by name, instead of or beside the templates.
        modules_dir: Where we see the modules: those of the list that this build has are loaded.
    """
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("conf")),
        undefined=StrictUndefined,
        autoescape=False,  # these are no HTML
        keep_trailing_newline=True,
    )
    modules = _modules(path.name for path in modules_dir.glob("*.so"))
    for name in templates.list_templates():
        text = templates.get_template(name).render(values, modules=modules)
        (etc / name).write_text(text)
    for name in _EMPTY:
        (etc / f"{name}.conf").touch()
    for name, text in overriding.items():
        (etc / name).write_text(text)


def _modules(there: Iterable[str]) -> list[str]:
    return sorted(
        name for name in there if _matches(name, _LOADED) and not _matches(name, _NOT_LOADED)
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, f"{pattern}.so") for pattern in patterns)
