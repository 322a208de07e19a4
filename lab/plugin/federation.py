"""The fixtures of checks in which the lab is a remote server: a domain of its own that the subject can resolve.

def test_…(alice: Session, remote: Remote) -> None:
    alice.send(f"<message to='bob@{remote.domain}' …/>")
    incoming = remote.receive()            # the subject's stream to us, with its stanzas
    outgoing = remote.call()               # ours to the subject, logged in
    outgoing.send(f"<message from='bob@{remote.domain}' to='{alice.jid}' …/>")
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from secrets import token_hex

import pytest

from lab.cell import Cell, Federation, Transport
from lab.certificates import CertificateAuthority
from lab.plugin.connections import Connect
from lab.plugin.judge import impossible
from lab.wire import s2s
from lab.wire.namespaces import NS
from lab.wire.negotiation import Stage, mechanisms
from lab.wire.s2s import Door, RemoteUser, ServerSession
from lab.wire.session import Observer
from lab.wire.transport import NoAnswer

Remotes = Callable[..., "Remote"]
ELSEWHERE = 1.0  # seconds for a new connection, where the subject may ask on one that is there
S2S: tuple[Transport, ...] = ("s2s", "s2s-direct-tls")


class Remote:
    """A remote server. Its `domain` is served by STARTTLS or, if it is `direct`, by TLS at once (XEP-0368)."""

    def __init__(
        self, connect: Connect, federation: Federation, authority: CertificateAuthority, *, direct: bool
    ) -> None:
        self._cell, self._connect, self._authority = connect.cell, connect, authority
        self.zone = federation.zone
        self.door = Door(federation.host)
        self.direct = direct
        self._known: ServerSession | None = None  # the subject's last stream
        self._at_hand: ServerSession | None = None  # the same, where nobody has received it yet
        place = f"{'d' if direct else 's'}{self.door.port}.{federation.zone}"
        self.domain = f"r{token_hex(4)}.{place}"

    def sibling(self, name: str) -> str:
        """Another domain that is served at the same place: `name` stands before ours."""
        return f"{name}.{self.domain}"

    def served(self, *places: str) -> str:
        """A domain of the same zone that is served elsewhere: `s40001`, `s0`, … (`lab.engines.names`), in this order.

        A place that is none gives a domain that does not exist.
        """
        return f"r{token_hex(4)}.{'-'.join(places)}.{self.zone}"

    @property
    def ca(self) -> Path | None:
        """The authority that signed the subject's own certificate."""
        return self._cell.ca

    @property
    def names_of_the_subject(self) -> set[str]:
        """Its domains, and the address at which it is reached."""
        places = {self._cell.endpoint(over) for over in S2S}
        return {self._cell.domain, *self._cell.services.values(), *(place.host for place in places if place)}

    @cached_property
    def certificate(self) -> Path:
        """A right certificate of the domain, and of its siblings: a PEM file with key and chain."""
        return self.certificate_of(self.domain, f"*.{self.domain}")

    def certificate_of(self, *names: str) -> Path:
        """A right certificate of these domains."""
        return self._authority.server_certificate(
            *names, folder=self._authority.folder / f"{names[0]}-{len(names)}"
        ).all

    @property
    def service_certificate(self) -> Path:
        """A right certificate that names the domain as a service alone (SRV-ID)."""
        return self._authority.service_certificate(self.domain, folder=self._authority.folder / f"srv-{self.domain}")

    def flawed(self, flaw: str) -> Path:
        """A certificate that is wrong in one way of `lab.certificates.FLAWS`."""
        return self._authority.flawed(self.domain, flaw, folder=self._authority.folder / f"{flaw}-{self.domain}").all

    def call(
        self,
        stage: Stage = Stage.AUTHENTICATED,
        *,
        certificate: Path | None = None,
        anonymous: bool = False,
        domain: str = "",
        jid: str = "",
        over: Transport = "s2s",
        context: ssl.SSLContext | None = None,
    ) -> ServerSession:
        """Our stream to the subject (see `lab.wire.s2s.call`).

        We show the right certificate, another one, or (`anonymous`) none.
        """
        shown = None if anonymous else certificate or self.certificate
        return self._adopted(self._called(stage, shown, domain=domain, jid=jid, over=over, context=context))

    def receive(
        self,
        stage: Stage = Stage.AUTHENTICATED,
        *,
        certificate: Path | None = None,
        offers: str = s2s.OFFER_EXTERNAL + s2s.OFFER_DIALBACK,
        timeout: float | None = None,
        jid: str = "",
    ) -> ServerSession:
        """The subject's next stream to us (see `lab.wire.s2s.receive`). Raises NoAnswer where it does not call."""
        return self._adopted(
            self._received(
                stage,
                certificate or (self.certificate_of(jid) if jid else self.certificate),
                timeout=self._cell.patience if timeout is None else timeout,
                offers=offers,
                jid=jid,
                observer=self._connect.watch,
            )
        )

    def user(self, localpart: str, *, resource: str = "") -> RemoteUser:
        """A user of ours, as one session: the subject delivers to it, and it sends what it likes."""
        jid = f"{localpart}@{self.domain}{'/' if resource else ''}{resource}"
        outgoing = self._called(Stage.AUTHENTICATED, self.certificate)
        user = RemoteUser(outgoing, self._unwatched, jid=jid, label=localpart)
        self._connect.adopt(user)
        return user

    def _unwatched(self, timeout: float) -> ServerSession:
        """The subject's stream to us; who reads it for a check tells the check's observer."""
        return self._received(Stage.AUTHENTICATED, self.certificate, timeout=timeout)

    def _called(
        self,
        stage: Stage,
        certificate: Path | None,
        *,
        domain: str = "",
        jid: str = "",
        over: Transport = "s2s",
        context: ssl.SSLContext | None = None,
    ) -> ServerSession:
        if self._cell.endpoint(over) is None:
            impossible(f"the cell has no {over} port")
        session = s2s.call(
            self._cell,
            min(stage, Stage.SECURED),
            jid=jid or self.domain,
            certificate=certificate,
            over=over,
            domain=domain,
            context=context,
            trace=self._connect.trace,
            observer=self._connect.watch,
        )
        if stage >= Stage.AUTHENTICATED:
            try:
                self._log_in(session)
            except BaseException:
                session.abandon()
                raise
        return session

    def _log_in(self, session: ServerSession) -> None:
        """By the certificate; by dialback where that is all that is offered."""
        features = session.features
        if _offers_external(session) or features is None or features.find("dialback:dialback", NS) is None:
            needs_external(session)
            s2s.log_in_by_certificate(session)
            s2s.open_server_stream(session)
            return
        known = self._known
        asking = s2s.log_in_by_dialback(session, lambda: self._asked_on(session.jid))
        if asking is not known and asking.proved:
            self._at_hand = asking  # what the subject has to send to us will come on it

    def _asked_on(self, jid: str) -> ServerSession:
        """The stream on which the subject asks us about a key: a new one, or the one that we know."""
        certificate = self.certificate if jid == self.domain else self.certificate_of(jid)
        # It looks our name up first, and may open a stream and log in before it asks.
        timeout = 2 * self._cell.patience if self._known is None else ELSEWHERE
        try:
            return self._adopted(self._received(Stage.SECURED, certificate, timeout=timeout, jid=jid))
        except NoAnswer:
            if self._known is None:
                raise
            return self._known

    def _received(
        self,
        stage: Stage,
        certificate: Path,
        *,
        timeout: float,
        offers: str = s2s.OFFER_EXTERNAL + s2s.OFFER_DIALBACK,
        jid: str = "",
        observer: Observer | None = None,
    ) -> ServerSession:
        at_hand = self._at_hand
        if at_hand is not None and stage >= Stage.AUTHENTICATED and at_hand.jid == (jid or self.domain):
            self._at_hand, at_hand.observer = None, observer
            return at_hand
        self._known = s2s.receive(
            self.door.accept(timeout),
            stage,
            jid=jid or self.domain,
            domain=self._cell.domain,
            certificate=certificate,
            ca=self._cell.ca,
            patience=self._cell.patience,
            direct=self.direct,
            offers=offers,
            trace=self._connect.trace,
            observer=observer,
        )
        return self._known

    def _adopted(self, session: ServerSession) -> ServerSession:
        self._connect.adopt(session)
        return session


def _offers_external(session: ServerSession) -> bool:
    return session.features is not None and "EXTERNAL" in mechanisms(session.features)


def needs_external(session: ServerSession) -> None:
    """For checks of a login by certificate: that it is on offer is a SHOULD of one check (RFC 6120 §6.3.4) alone."""
    if not _offers_external(session):
        impossible("the server does not offer EXTERNAL to a server with a right certificate")


@pytest.fixture(scope="session")
def authority(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority | None:
    """The authority that the subject trusts, to sign for this worker's remote servers; None where there is none."""
    federation = cell.federation
    return CertificateAuthority.of(federation.authority, tmp_path_factory.mktemp("remote")) if federation else None


@pytest.fixture
def remotes(cell: Cell, connect: Connect, authority: CertificateAuthority | None) -> Iterator[Remotes]:
    """Makes remote servers: `remotes(direct=True)` is found by XEP-0368's records alone."""
    federation = cell.federation
    if federation is None or authority is None:
        impossible("the lab cannot be a remote server here: no name in this cell leads to it")
    if not any(cell.endpoint(over) for over in S2S):
        impossible("nothing here speaks with other servers: the cell has no s2s port")
    made: list[Remote] = []

    def make(*, direct: bool = False) -> Remote:
        made.append(Remote(connect, federation, authority, direct=direct))
        return made[-1]

    yield make
    for one in made:
        one.door.close()


@pytest.fixture
def remote(remotes: Remotes) -> Remote:
    """A remote server that the subject has never heard of."""
    return remotes()


@pytest.fixture
def another(remotes: Remotes) -> Remote:
    """A second remote server, with which nothing has gone wrong."""
    return remotes()


__all__ = ["Remote", "Remotes", "another", "authority", "needs_external", "remote", "remotes"]
