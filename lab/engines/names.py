"""The names of a cell: a DNS server of the lab's own, at the address that this machine has in the cell's network.

Servers find each other by SRV records (RFC 6120 §3.2.1, XEP-0368), and so they have to find the lab where it plays a
remote server. Such names need no registration: a host of the zone `ZONE` says in itself where it is served,

    anything.s40001-d40002.remote.test

is to be had by STARTTLS on port 40001, else by direct TLS on port 40002, both of this machine; `s0` stands for a
target of ".", which says that the service is not to be had here (RFC 2782). Whatever else is asked does not exist.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, RR, SRV, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

ZONE = "remote.test"
PORT = 53
TTL = 1  # seconds: a server that remembers a name longer than a check takes would meet the next one there

Starttls, DirectTls = "_xmpp-server._tcp.", "_xmpps-server._tcp."
_KINDS = {"s": Starttls, "d": DirectTls}
_PORTS = re.compile(r"(?:[sd]\d{1,5})(?:-[sd]\d{1,5})*")


@dataclass(frozen=True)
class Host:
    """A server of the cell: its address, and its ports for STARTTLS and for TLS at once, as far as it has them."""

    address: str
    starttls: int | None = None
    direct_tls: int | None = None


class NameServer:
    """What the names of one network mean. `address` is this machine's in it, and where the name server listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def register(self, names: Mapping[str, Host]) -> None:
        """From now on these domains are served there."""
        with self._lock:
            self._hosts.update({name.lower(): host for name, host in names.items()})

    def answer(self, request: DNSRecord) -> DNSRecord:
        """The reply to one question."""
        reply = request.reply()
        question = str(request.q.qname).rstrip(".").lower()
        exists, records = self._records(question)
        for record in records:
            if request.q.qtype in {record.rtype, QTYPE.ANY}:
                reply.add_answer(record)
        if not exists:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _records(self, name: str) -> tuple[bool, list[RR]]:
        """Whether there is such a name, and all that is known of it."""
        for service in (Starttls, DirectTls):
            if name.startswith(service):
                targets = self._targets(name.removeprefix(service), service)
                return bool(targets), [
                    RR(name, QTYPE.SRV, rdata=SRV(place, 0, port, target), ttl=TTL) for place, port, target in targets
                ]
        with self._lock:
            host = self._hosts.get(name)
        if host is not None:
            return True, [RR(name, QTYPE.A, rdata=A(host.address), ttl=TTL)]
        if _ports_of(name) is not None:
            return True, [RR(name, QTYPE.A, rdata=A(self.address), ttl=TTL)]
        return False, []

    def _targets(self, domain: str, service: str) -> list[tuple[int, int, str]]:
        """Priority, port and target of each SRV record of a domain."""
        with self._lock:
            host = self._hosts.get(domain)
        if host is not None:
            port = host.starttls if service == Starttls else host.direct_tls
            return [(0, port, domain)] if port else []
        ports = _ports_of(domain) or []
        return [
            (place, port, domain if port else ".")
            for place, (kind, port) in enumerate(ports)
            if _KINDS[kind] == service
        ]


def _ports_of(name: str) -> list[tuple[str, int]] | None:
    """What a host of the lab's zone says of its ports, in their order; None for any other name."""
    if not name.endswith(f".{ZONE}"):
        return None
    label = name.removesuffix(f".{ZONE}").rpartition(".")[2]
    if not _PORTS.fullmatch(label):
        return None
    return [(part[0], int(part[1:])) for part in label.split("-")]


@contextmanager
def name_server(address: str) -> Iterator[NameServer]:
    """A name server at `address`, UDP and TCP, until the block is left. Raises OSError where it may not listen."""
    names = NameServer(address)
    resolver = _Resolver(names)
    quiet = DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data", prefix=False)
    servers: list[DNSServer] = []
    try:
        for tcp in (False, True):
            servers.append(DNSServer(resolver, address=address, port=PORT, tcp=tcp, logger=quiet, handler=DNSHandler))
            servers[-1].start_thread()
        yield names
    finally:
        for server in servers:
            server.stop()
            server.server.server_close()


class _Resolver(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    def __init__(self, names: NameServer) -> None:
        self._names = names

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        return self._names.answer(request)
