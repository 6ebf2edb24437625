"""Who else can reach a port, read from the kernel's own tables."""

from __future__ import annotations

import socket

import pytest

from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.checks.live import ari as ari_findings
from asterisk_compliance.app.checks.live.ari import (
    host_and_port,
    is_loopback,
    listening,
    loopback_findings,
    open_addresses,
)
from sample_settings import asterisk, settings

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
REST = " 00000000:00000000 00:00000000 00000000   101        0 1092563 1 0000000095d99d38 100"
TCP = HEAD + "".join(
    f"   {number}: {local} {remote} {state}{REST}\n"
    for number, (local, remote, state) in enumerate(
        [
            ("0100007F:13AE", "00000000:0000", "0A"),  # 127.0.0.1:5038
            ("00000000:1F98", "00000000:0000", "0A"),  # 0.0.0.0:8088
            ("0A02A8C0:13AE", "0100007F:1F98", "01"),  # a connection, nobody listens
            ("0A02A8C0:13AF", "00000000:0000", "0A"),  # 192.168.2.10:5039
        ]
    )
)
TCP6 = HEAD + "".join(
    f"   {number}: {local}:1F98 {'0' * 32}:0000 0A{REST}\n"
    for number, local in enumerate(
        [
            "00000000000000000000000000000000",  # ::
            "00000000000000000000000001000000",  # ::1
            "0000000000000000FFFF00000100007F",  # ::ffff:127.0.0.1
            "0000000000000000FFFF00000A02A8C0",  # ::ffff:192.168.2.10
        ]
    )
)


@pytest.mark.parametrize(
    ("table", "port", "addresses"),
    [
        (TCP, 5038, []),
        (TCP, 8088, ["0.0.0.0"]),
        (TCP, 5039, ["192.168.2.10"]),
        (TCP, 5060, []),
        (TCP6, 8088, ["::", "192.168.2.10"]),
    ],
)
def test_the_kernel_s_tables(table: str, port: int, addresses: list[str]) -> None:
    assert list(map(str, listening(table, port))) == addresses


def test_a_real_port_of_loopback_is_open_to_nobody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert open_addresses(server.getsockname()[1]) == []


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("pbx", False), ("10.0.0.1", False)],
)
def test_what_is_this_host(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


def test_an_address_without_a_port_has_that_of_its_scheme() -> None:
    assert host_and_port("http://pbx:8088/ari") == ("pbx", 8088)
    assert host_and_port("https://pbx/ari") == ("pbx", 443)
    assert host_and_port("http://[::1]/ari") == ("::1", 80)


def test_wires_that_others_can_reach_or_read(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {8088: ["0.0.0.0"]}
    monkeypatch.setattr(ari_findings, "open_addresses", lambda port: there.get(port, []))
    said = {one.address: one for one in loopback_findings(settings())}
    assert list(said) == ["asterisk[1].ari.url"]
    assert said["asterisk[1].ari.url"].id is It.NOT_ON_LOOPBACK
    assert "0.0.0.0" in said["asterisk[1].ari.url"].what
    far = asterisk(
        ari={"url": "https://pbx/ari", "user": "c", "secret_env": "X"},
        ami={"host": "pbx", "user": "c", "secret_env": "X"},
    )
    (ami,) = loopback_findings(settings(asterisk=far["asterisk"]))
    assert ami.address == "asterisk[1].ami.host"
    assert "pbx" in ami.what
