"""Registration as checks play it: somebody who has no account yet, what is asked for, and who may log in.

Where a server registers nobody in-band, or asks for more than a name and a password, the check has nothing to do;
nothing here judges besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from lab.cell import Account
from lab.plugin import Connect, Specification, Stage, impossible, unsupported
from lab.wire.namespaces import DATA_FORM, NS, REGISTER, SASL
from lab.wire.session import Session, StreamFailed, localname, new_id
from lab.wire.stream import Element
from scenarios.server.rfc6120._sasl import auth, is_sasl, plain

XEP = Specification("XEP-0077")

FEATURE = "{http://jabber.org/features/iq-register}register"
FIELDS = frozenset(
    {
        *("username", "nick", "password", "name", "first", "last", "email", "address", "city", "state", "zip"),
        *("phone", "url", "date", "misc", "text", "key", "registered", "instructions", "remove"),
    }
)
"""All that the namespace has (§14.1). A host adds nothing to it (§4)."""
NEEDED = {"username", "password"}


@dataclass(frozen=True)
class Asked:
    """Somebody without an account on a secured stream, and the `<query/>` that says what is asked for."""

    session: Session
    query: Element

    @property
    def fields(self) -> set[str]:
        """The predefined fields that are to be filled in."""
        return {name for name in names(self.query) if name not in {"instructions", "registered"}}

    @property
    def form(self) -> Element | None:
        return self.query.find("x:x", NS)


def names(query: Element) -> list[str]:
    """The local names of all of its children in the namespace of registration."""
    return [localname(child) for child in query if str(child.tag).startswith(f"{{{REGISTER}}}")]


def ask(session: Session, to: str | None = None) -> Element:
    """Ask what is on file, or what is to be filled in. Answers the reply."""
    return session.iq("get", f"<query xmlns='{REGISTER}'/>", to=to)


def newcomer(connect: Connect, label: str = "newcomer") -> Asked:
    """Somebody without an account, who has asked. The check is `unsupported` where nobody is registered in-band."""
    session = connect(Stage.SECURED, label=label)
    try:
        reply = ask(session, session.domain)
    except StreamFailed:  # RFC 6120 lets a server refuse all stanzas of who is not authenticated
        unsupported("in-band registration before login")
    query = reply.find("register:query", NS)
    if reply.get("type") != "result" or query is None:
        unsupported("in-band registration before login")
    asked = Asked(session, query)
    if not asked.fields and asked.form is None:
        unsupported("registration other than on a website")
    return asked


def simple(connect: Connect, label: str = "newcomer") -> Asked:
    """A newcomer who need not give more than a name and a password, else the check is `impossible`."""
    asked = newcomer(connect, label)
    if asked.fields != NEEDED:
        impossible(f"the server asks for {', '.join(sorted(asked.fields)) or 'a form'} to be filled in")
    return asked


def fresh(domain: str) -> Account:
    """An account that is nobody's yet."""
    return Account(f"n{token_hex(6)}", domain, token_hex(8))


def fill(session: Session, *content: str, to: str | None = None) -> Element:
    """Send these children of a `<query/>`, as written. Answers the reply."""
    return session.iq("set", f"<query xmlns='{REGISTER}'>{''.join(content)}</query>", to=to)


def named(account: Account) -> tuple[str, str]:
    """Name and password, as the fields that they are filled into."""
    return f"<username>{account.localpart}</username>", f"<password>{account.password}</password>"


def submitted(account: Account) -> str:
    """The same, as a form that is submitted (§4)."""
    return (
        f"<x xmlns='{DATA_FORM}' type='submit'><field var='FORM_TYPE'><value>{REGISTER}</value></field>"
        f"<field var='username'><value>{account.localpart}</value></field>"
        f"<field var='password'><value>{account.password}</value></field></x>"
    )


def may_log_in(connect: Connect, account: Account) -> bool:
    """Whether the server takes that name and that password. What it says else is the matter of other checks."""
    session = connect(Stage.SECURED, label=f"login-{new_id()}")
    if "PLAIN" not in _mechanisms(session):
        impossible("whether an account is there is told by a login with PLAIN, which the server does not offer")
    answer = auth(session, "PLAIN", plain(account))
    found = is_sasl(answer, "success")
    session.abandon()
    return found


def _mechanisms(session: Session) -> set[str]:
    features = session.features
    found = () if features is None else features.iter(f"{{{SASL}}}mechanism")
    return {(mechanism.text or "").strip() for mechanism in found}
