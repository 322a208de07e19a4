"""Tokens as the checks of XEP-0484 use them: asked for, used, used wrongly. No check stands here.

Channel binding is tried under TLS 1.2 for `tls-unique`, and with the certificate for `tls-server-end-point`: Python's
ssl has no `tls-exporter`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.cell import Account
from lab.plugin import Connect, require, unsupported
from lab.wire import sasl2
from lab.wire.namespaces import FAST, NS
from lab.wire.sasl import HashedToken, hashed_token, token_binding
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._sasl2 import (
    Entered,
    authenticate,
    bindable,
    enter,
    features_behind,
    is_sasl2,
    offered_inline,
    require_failure,
    require_success,
    secured,
)

PLAIN = "HT-SHA-256-NONE"
"""The mechanism without channel binding, which checks use that are not about that."""
MECHANISMS = (PLAIN, "HT-SHA-256-UNIQ", "HT-SHA-256-ENDP")
"""Those of the family that the lab can play."""


@dataclass(frozen=True)
class Client:
    """An installation of an account: what tokens are issued to."""

    account: Account
    agent: UserAgent


@dataclass(frozen=True)
class Token:
    """What a server gave: the secret, for which mechanism, and until when (DateTime of XEP-0082)."""

    client: Client
    mechanism: str
    secret: str
    expiry: str


def asking(mechanism: str = PLAIN) -> str:
    return f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"


def using(attributes: str = "") -> str:
    return f"<fast xmlns='{FAST}' {attributes}/>"


def client(connect: Connect) -> Client:
    """A fresh account, on a new installation."""
    return Client(connect.account(), UserAgent.new())


def offering(connect: Connect, who: Client, *mechanisms: str, label: str = "client") -> Session:
    """A stream that offers FAST by these mechanisms, over a TLS that they can be bound to; else `unsupported`."""
    unique = any(token_binding(name) == "tls-unique" for name in mechanisms)
    session = secured(connect, who.account, context=bindable(connect) if unique else None, label=label)
    offer = offered_inline(session, "fast:fast", "FAST")
    listed = {(m.text or "").strip() for m in offer.iterfind("fast:mechanism", NS)}
    for name in mechanisms:
        if name not in listed:
            unsupported(f"{name} by FAST")
    return session


def given(connect: Connect, who: Client | None = None, *, mechanism: str = PLAIN) -> Token:
    """A token asked for along with the password."""
    who = who or client(connect)
    there = enter(offering(connect, who, mechanism), who.account, agent=who.agent, inline=asking(mechanism))
    return token_in(there.success, who, mechanism)


def token_in(success: Element, who: Client, mechanism: str = PLAIN) -> Token:
    """The token in a success; the check fails where there is none with a secret and an expiry (§3.3)."""
    tokens = success.findall("fast:token", NS)
    fits = len(tokens) == 1 and tokens[0].get("token") and tokens[0].get("expiry")
    require(fits, "one <token/> with 'token' and 'expiry'", success)
    return Token(who, mechanism, tokens[0].get("token", ""), tokens[0].get("expiry", ""))


def played(session: Session, token: Token, mechanism: str | None = None, *, secret: str | None = None) -> HashedToken:
    """The token's mechanism (or another one) on this connection, with its secret (or another one)."""
    secret = token.secret if secret is None else secret
    return hashed_token(mechanism or token.mechanism, token.client.account, secret, tls=session.transport.secured())


def use(
    connect: Connect,
    token: Token,
    *,
    mechanism: str | None = None,
    secret: str | None = None,
    attributes: str = "",
    inline: str = "",
) -> tuple[Session, HashedToken, Element]:
    """Authenticate with a token on a new stream; answers the stream, the mechanism, and what came back at once."""
    wanted = mechanism or token.mechanism
    session = offering(connect, token.client, wanted, token.mechanism, label="again")
    mech = played(session, token, wanted, secret=secret)
    initial = sasl2.encode(mech.initial())
    answer = authenticate(session, wanted, initial, f"{token.client.agent.xml()}{inline}{using(attributes)}")
    return session, mech, answer


def lets_in(connect: Connect, token: Token, *, attributes: str = "", inline: str = "") -> Entered:
    """The token is good: success at once, with the server's proof, and features behind it."""
    session, mech, answer = use(connect, token, attributes=attributes, inline=inline)
    jid = require_success(answer)
    require(jid.partition("/")[0] == token.client.account.jid, f"the account {token.client.account.jid}", answer)
    data = answer.find("sasl2:additional-data", NS)
    mech.finish(sasl2.decode(data) if data is not None else None)
    session.jid = jid
    features_behind(session)
    return Entered(session, token.client.account, token.client.agent, answer)


def is_refused(connect: Connect, token: Token, *, mechanism: str | None = None, secret: str | None = None) -> None:
    """The token is no good: <failure/>, and no token in it."""
    _, _, answer = use(connect, token, mechanism=mechanism, secret=secret)
    require(not is_sasl2(answer, "success"), "<failure/>", answer)
    require_failure(answer)
    require(answer.find("fast:token", NS) is None, "no <token/>", answer)
