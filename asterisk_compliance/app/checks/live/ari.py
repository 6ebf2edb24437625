"""Findings from ARI: its rights, the loaded modules, the service, and who can reach its port.

Only plain HTTP is used: a WebSocket would take the Stasis application away from the service.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import AriAddress, refused
from asterisk_compliance.asterisk.ari.transport import HttpTransport
from asterisk_compliance.config.settings import AriSettings, Settings
from asterisk_compliance.domain.asterisk.modules import ARI_MODULES, keeps_records, not_running
from asterisk_compliance.domain.asterisk.version import is_supported, lacking, version_of
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused, StoreUnavailable


async def ari_findings(
    ari: HttpTransport, address: AriAddress, where: str, modules: set[str], *, serves: bool | None
) -> AsyncIterator[OperatorFinding]:
    """What is wrong behind one address, until that is known not to answer.

    Args:
        ari: How to ask.
        address: Whom.
        where: In the configuration.
        modules: That the dialplan needs.
        serves: Whether the service is there; ``None``: nobody knows.
    """
    try:
        version = await ari.send(ari_requests.info())
    except AsteriskUnavailable as error:
        yield found(SiteFindingId.ARI_UNREACHABLE, f"{where}.url", f"{address.url}: {error}")
        return
    except RequestRefused as error:
        which = SiteFindingId.ARI_REFUSES if error.status == 401 else SiteFindingId.ARI_UNREACHABLE
        why = refused(address, error)
        yield found(which, where, str(why), why.hint)
        return
    for finding in _version(version, where):
        yield finding
    try:
        there = await ari.send(ari_requests.modules())
        for finding in _modules(there, modules, where):
            yield finding
        if serves and not await ari.send(ari_requests.registered(address.application)):
            what = f"the service runs, and {address.application} is not registered"
            yield found(SiteFindingId.APPLICATION_MISSING, f"{where}.application", what)
        await ari.send(ari_requests.change_nothing())
    except RequestRefused as error:
        if error.status != 403:
            raise
        yield found(SiteFindingId.ARI_READ_ONLY, where, f"{address.user} may only read")


def _version(text: str, where: str) -> Iterator[OperatorFinding]:
    version = version_of(text)
    if not is_supported(version):
        what = f"Asterisk {text} does not say what becomes of a recording"
        yield found(SiteFindingId.ASTERISK_TOO_OLD, where, what)
    elif less := list(lacking(version)):
        yield found(SiteFindingId.ASTERISK_OLDER, where, f"Asterisk {text}: {'; '.join(less)}")


def _modules(there: Mapping[str, str], modules: set[str], where: str) -> Iterator[OperatorFinding]:
    if not there:
        what = "res_ari_asterisk does not run, so nobody can ask which others do"
        yield found(SiteFindingId.MODULE_MISSING, where, what)
        return
    for module in not_running({*modules, *ARI_MODULES}, there):
        yield found(SiteFindingId.MODULE_MISSING, where, f"{module} does not run")
    if not keeps_records(there):
        what = "no module writes CDRs or CEL: calls that never reach the service stay unnoticed"
        yield found(SiteFindingId.CALL_RECORDS_OFF, where, what)


def loopback_findings(settings: Settings) -> Iterator[OperatorFinding]:
    """Who else can reach ARI and AMI, or read what we tell them on the way."""
    for number, asterisk in enumerate(settings.asterisk, 1):
        wires = []
        if (ari := asterisk.ari) is not None:
            wires.append((f"asterisk[{number}].ari.url", *_ari_place(ari)))
        if (ami := asterisk.ami) is not None:
            wires.append((f"asterisk[{number}].ami.host", ami.host, ami.port, False))
        for address, host, port, is_encrypted in wires:
            if not is_loopback(host):
                if not is_encrypted:
                    what = f"the password goes to {host} as it is, for whoever listens on the way"
                    yield found(SiteFindingId.NOT_ON_LOOPBACK, address, what)
            elif others := open_addresses(port):
                what = f"port {port} takes connections at {', '.join(others)} too"
                yield found(SiteFindingId.NOT_ON_LOOPBACK, address, what)


def _ari_place(ari: AriSettings) -> tuple[str, int, bool]:
    return (*host_and_port(ari.url), ari.url.startswith("https:"))


async def service_findings(settings: Settings) -> tuple[bool | None, list[OperatorFinding]]:
    """Whether the service is there (``None``: we may not ask), and what it says itself."""
    socket = settings.service.socket
    try:
        answer = await asyncio.to_thread(ask, socket, "status", {})
    except StoreUnavailable as error:
        return None, [found(SiteFindingId.SERVICE_DOWN, "service.socket", str(error), error.hint)]
    if answer is None:
        what = f"no service listens on {socket}: calls go on unrecorded"
        return False, [found(SiteFindingId.SERVICE_DOWN, "service.socket", what)]
    reasons = answer["reasons"]
    return True, [
        found(SiteFindingId.SERVICE_UNWELL, "service", f"it says {reason}") for reason in reasons
    ]


_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def open_addresses(port: int) -> list[str]:
    """The addresses beside loopback on which this machine listens at ``port``."""
    texts = [path.read_text(encoding="ascii") for path in _TABLES if path.exists()]
    return sorted({str(one) for text in texts for one in listening(text, port)})


def listening(table: str, port: int) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses beside loopback in ``/proc/net/tcp`` or ``tcp6`` (proc_net_tcp(5))."""
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        where, _, number = local.partition(":")
        if state == _LISTENING and int(number, 16) == port:
            address = _address(where)
            if not address.is_loopback:
                yield address


def is_loopback(host: str) -> bool:
    """Whether a host of the configuration is this one, and nobody else hears what it is told."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _address(where: str) -> IPv4Address | IPv6Address:
    """Words of 32 bits, each in the order of this machine."""
    words = [int(where[at : at + 8], 16) for at in range(0, len(where), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    if len(raw) == 4:
        return IPv4Address(raw)
    found = IPv6Address(raw)
    return found.ipv4_mapped or found
