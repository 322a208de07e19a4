"""SASL2 by hand (XEP-0388): streams that say who we are, one element out, its answer in, and a login as a whole.

`lab.wire.sasl2` plays an exchange rightly; here a check says each step itself, and wrongly where it wants. No check
stands here.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from lab.cell import Account
from lab.plugin import Connect, Stage, require, require_equal, unsupported
from lab.wire import negotiation, sasl, sasl2
from lab.wire.namespaces import NS, SASL, SASL2
from lab.wire.sasl2 import Login, UserAgent
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from lab.wire.transport import client_context
from scenarios.server.rfc6120._sasl import CONDITIONS
from scenarios.server.rfc6120._streams import FEATURES

QUICK = ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")


def secured(
    connect: Connect,
    account: Account,
    *offers: str,
    context: ssl.SSLContext | None = None,
    sender: str | None = None,
    label: str = "client",
) -> Session:
    """A stream under TLS whose header names the account (or `sender`), with SASL2 on offer, nothing sent on it.

    The check is `unsupported` where SASL2, or one of the mechanisms `offers`, is not.
    """
    sender = account.jid if sender is None else sender
    session = connect(Stage.SECURED, account=account, sender=sender, context=context, label=label)
    for name in offers:
        if name not in mechanisms(session):
            unsupported(f"{name} by SASL2")
    if not mechanisms(session):
        unsupported("SASL2 among the stream features")
    return session


def bindable(connect: Connect) -> ssl.SSLContext:
    """TLS 1.2 at the most, where Python's ssl has `tls-unique`; it has no `tls-exporter`."""
    return client_context(connect.cell.ca, maximum=ssl.TLSVersion.TLSv1_2)


def mechanisms(session: Session) -> list[str]:
    """The mechanisms of SASL2 in the last stream features."""
    return sasl2.mechanisms(session.features) if session.features is not None else []


def quick(session: Session) -> str:
    """A mechanism for logins that no check is about: the cheapest on offer."""
    playable = [name for name in QUICK if name in mechanisms(session)]
    if not playable:
        unsupported(f"{', '.join(QUICK)} by SASL2")
    return playable[0]


def offered_inline(session: Session, path: str, what: str) -> Element:
    """What stands at a path in <inline/>; the check is `unsupported` where nothing does."""
    inline = sasl2.inline(session.features) if session.features is not None else None
    found = inline.find(path, NS) if inline is not None else None
    if found is None:
        unsupported(f"{what} inline in SASL2")
    return found


# --- one element out, its answer in


def authenticate(session: Session, mechanism: str, initial: str | None, inner: str = "") -> Element:
    """Send <authenticate/> with this initial response, as written; answer what comes back."""
    response = f"<initial-response>{initial}</initial-response>" if initial is not None else ""
    session.send(f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{response}{inner}</authenticate>")
    return session.receive()


def respond(session: Session, content: str) -> Element:
    """Send a <response/> with this content, as written; answer what comes back."""
    session.send(f"<response xmlns='{SASL2}'>{content}</response>")
    return session.receive()


def message_of_plain(account: Account, *, password: str | None = None, authzid: str = "") -> str:
    """The message of PLAIN (RFC 4616 §2), in base64."""
    password = account.password if password is None else password
    return sasl2.encode(f"{authzid}\0{account.localpart}\0{password}".encode())


def is_sasl2(element: Element, name: str) -> bool:
    return bool(element.tag == f"{{{SASL2}}}{name}")


def challenge(answer: Element) -> str:
    """The data of a challenge, as text. The check fails where `answer` is none."""
    require(is_sasl2(answer, "challenge"), "<challenge/>", answer)
    return sasl2.decode(answer).decode()


def require_success(answer: Element) -> str:
    """The check fails unless `answer` is a success that says who we are, which is answered (§2.6.1)."""
    jid = answer.findtext("sasl2:authorization-identifier", namespaces=NS)
    require(is_sasl2(answer, "success") and jid, "<success/> with an authorization identifier", answer)
    return (jid or "").strip()


def require_failure(answer: Element, *conditions: str) -> str:
    """The check fails unless `answer` is a failure with one condition of RFC 6120 §6.5, or of `conditions`."""
    wanted = f"<failure/>: {' or '.join(conditions) or 'any condition of RFC 6120 §6.5'}"
    require(is_sasl2(answer, "failure"), wanted, answer)
    named = [localname(child) for child in answer if child.tag.startswith(f"{{{SASL}}}")]
    require(len(named) == 1 and named[0] in (conditions or CONDITIONS), wanted, answer)
    return named[0]


def features_behind(session: Session) -> Element:
    """The stream features, which must be the next thing that comes (§2.6.1)."""
    features = session.receive()
    require(features.tag == FEATURES, "stream features right behind <success/>", features)
    session.features = features
    return features


# --- logins as a whole


@dataclass(frozen=True)
class Entered:
    """A session that has logged in by SASL2, what the server said to that, and how."""

    session: Session
    account: Account
    agent: UserAgent
    success: Element

    def find(self, path: str) -> Element | None:
        """What stands at a path in <success/>."""
        return self.success.find(path, NS)

    def has(self, path: str, what: str) -> Element:
        """What stands at a path in <success/>; the check fails where nothing does."""
        found = self.find(path)
        require(found is not None, what, self.success)
        return self.success if found is None else found


def enter(session: Session, account: Account, *, agent: UserAgent | None = None, inline: str = "") -> Entered:
    """Log in on a stream by the cheapest mechanism, with what is asked for inline; the features are taken, too."""
    agent = agent or UserAgent.new()
    login = Login(sasl.mechanism(quick(session), account, tls=session.transport.tls), agent=agent, inline=inline)
    success = negotiation.log_in(session, login)
    require_equal(login.jid.partition("/")[0], account.jid, "the bare JID in the authorization identifier")
    features_behind(session)
    return Entered(session, account, agent, success)


def entered(
    connect: Connect,
    account: Account | None = None,
    *,
    agent: UserAgent | None = None,
    inline: str = "",
    label: str = "client",
) -> Entered:
    """A fresh account (or this one), logged in by SASL2 on a stream of its own."""
    account = account or connect.account()
    return enter(secured(connect, account, label=label), account, agent=agent, inline=inline)


def goes_on(session: Session, account: Account) -> None:
    """Show that the stream is still good: log in on it rightly, and bind as ever."""
    enter(session, account)
    bound = negotiation.bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", f"bound as {bound}")
