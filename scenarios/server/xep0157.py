"""XEP-0157 (contact addresses): whom a service names in the extended part of its disco#info, and how.

Who names nobody does not support it: there is no other way to tell.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import NS
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server._discovery import info

XEP = Specification("XEP-0157")

SERVER_INFO = "http://jabber.org/network/serverinfo"
WHOM = ("abuse", "admin", "feedback", "sales", "security", "status", "support")
"""All for which a field is registered (§7.1)."""
FIELDS = tuple(f"{whom}-addresses" for whom in WHOM)
NO_URI = re.compile(r"[\s<>\"{}|\\^`]|%(?![0-9A-Fa-f]{2})|#.*#")
"""What stands in no URI (RFC 3986 §2), the characters of IRIs left aside."""
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")


def _values(form: Element, var: str) -> list[str]:
    found = form.iterfind("x:field", NS)
    return [value.text or "" for f in found if f.get("var") == var for value in f.iterfind("x:value", NS)]


def _forms(query: Element) -> list[Element]:
    """The forms with an address in them."""
    return [form for form in query.iterfind("x:x", NS) if any(_values(form, field) for field in FIELDS)]


def _addresses(session: Session, whom: str) -> list[str]:
    """The addresses for somebody; `unsupported` where there are none."""
    found = [value for form in _forms(info(session, session.domain)) for value in _values(form, f"{whom}-addresses")]
    if not found:
        unsupported(f"{whom}-addresses")
    return found


def _some_form(session: Session) -> Element:
    forms = _forms(info(session, session.domain))
    if not forms:
        unsupported("contact addresses")
    return forms[0]


@XEP.must("3", says="The form that holds addresses is of the kind http://jabber.org/network/serverinfo.")
def test_form_is_of_its_kind(alice: Session) -> None:
    form = _some_form(alice)
    require_equal(form_type(form), SERVER_INFO, "FORM_TYPE")


@XEP.should("3", says="The server's bare domain tells its contact addresses in a form of results, in disco#info.")
def test_form_is_a_result(alice: Session) -> None:
    form = _some_form(alice)
    require_equal(form.get("type"), "result", "type of the form")


@XEP.should("3", says="Whoever asks the domain is told the same addresses: another account, and a component.")
@pytest.mark.parametrize("who", ["account", pytest.param("component", marks=pytest.mark.xdist_group("component"))])
def test_everybody_is_told(who: str, alice: Session, connect: Connect) -> None:
    told = _all(_some_form(alice))
    other = connect.component() if who == "component" else connect(label="other")
    query = (
        info(other, other.domain)
        if who == "account"
        else other.iq("get", f"<query xmlns='{NS['disco']}'/>", to=other.domain, attributes=f" from='{other.jid}'")
    )
    forms = [form for form in query.iter(f"{{{NS['x']}}}x") if form_type(form) == SERVER_INFO]
    require(forms, f"a form of the kind {SERVER_INFO}", query)
    require_equal(_all(forms[0]), told, "addresses")


def _all(form: Element) -> dict[str, list[str]]:
    return {field: values for field in FIELDS if (values := _values(form, field))}


@XEP.must("3", says="Each address at which the state of the service is told is a valid URI.")
def test_status_addresses_are_uris(alice: Session) -> None:
    for address in _addresses(alice, "status"):
        _is_uri(address, alice)


@XEP.should("3", says="Each address for some purpose is a valid URI.")
@pytest.mark.parametrize("whom", [whom for whom in WHOM if whom != "status"])
def test_addresses_are_uris(whom: str, alice: Session) -> None:
    for address in _addresses(alice, whom):
        _is_uri(address, alice)


def _is_uri(address: str, session: Session) -> None:
    """With a scheme, without what stands in no URI; an address of XMPP or e-mail is one, besides."""
    fits = SCHEME.match(address) and not NO_URI.search(address)
    require(fits, "a URI, with its scheme", f"{address!r} of {session.domain}")
    parts = urlsplit(address)
    path = unquote(parts.path)
    if parts.scheme.lower() == "mailto":
        require(all(part.partition("@")[2] for part in path.split(",")), "an address of e-mail", address)
    if parts.scheme.lower() == "xmpp" and not parts.netloc:
        bare, at = path.partition("/")[0], path.count("@")
        require(bare and at <= 1 and not bare.startswith("@") and not bare.endswith("@"), "a JID", repr(address))
