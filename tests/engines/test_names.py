"""What the names of a cell mean (`lab.engines.names`)."""

from __future__ import annotations

import socket

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from lab.engines import names
from lab.engines.names import Host, NameServer, name_server
from lab.engines.ports import free_ports


@pytest.fixture
def server() -> NameServer:
    made = NameServer("192.0.2.1")
    made.register({"lab.test": Host("192.0.2.9", 5269, 5270), "conference.lab.test": Host("192.0.2.9", 5269)})
    return made


def asked(server: NameServer, name: str, kind: str) -> tuple[str, list[str]]:
    """The response code, and each record's data."""
    reply = server.answer(DNSRecord.question(name, kind))
    return RCODE.get(reply.header.rcode), [str(record.rdata) for record in reply.rr]


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("lab.test", "A", ["192.0.2.9"]),
        ("LAB.test", "A", ["192.0.2.9"]),
        ("_xmpp-server._tcp.lab.test", "SRV", ["0 0 5269 lab.test."]),
        ("_xmpps-server._tcp.lab.test", "SRV", ["0 0 5270 lab.test."]),
        ("lab.test", "AAAA", []),
        ("x.s40001.remote.test", "A", ["192.0.2.1"]),
        ("_xmpp-server._tcp.x.s40001.remote.test", "SRV", ["0 0 40001 x.s40001.remote.test."]),
        ("_xmpps-server._tcp.x.d40002.remote.test", "SRV", ["0 0 40002 x.d40002.remote.test."]),
        ("_xmpp-server._tcp.s1-s2.remote.test", "SRV", ["0 0 1 s1-s2.remote.test.", "1 0 2 s1-s2.remote.test."]),
        ("_xmpp-server._tcp.s0.remote.test", "SRV", ["0 0 0 ."]),
    ],
)
def test_what_exists_is_told(server: NameServer, name: str, kind: str, data: list[str]) -> None:
    assert asked(server, name, kind) == ("NOERROR", data)


@pytest.mark.parametrize(
    "name",
    [
        "elsewhere.test",
        "remote.test",
        "x.remote.test",
        "x.s.remote.test",
        "x.s123456.remote.test",
        "_xmpps-server._tcp.conference.lab.test",
        "_xmpps-server._tcp.x.s40001.remote.test",
    ],
)
def test_what_does_not_exist_is_no_name(server: NameServer, name: str) -> None:
    kind = "SRV" if name.startswith("_") else "A"
    assert asked(server, name, kind) == ("NXDOMAIN", [])


def test_it_answers_over_udp_and_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "PORT", free_ports(1)[0])
    with name_server("127.0.0.1"):
        reply = DNSRecord.parse(DNSRecord.question("x.s7.remote.test", "A").send("127.0.0.1", names.PORT, timeout=5))
        assert [(record.rtype, str(record.rdata)) for record in reply.rr] == [(QTYPE.A, "127.0.0.1")]
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as again, pytest.raises(ConnectionRefusedError):
        again.connect(("127.0.0.1", names.PORT))
