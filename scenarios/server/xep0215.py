"""XEP-0215 (external service discovery): the list, a part of it by type, and credentials for one service.

Where the cell has the TURN server that they are for, the credentials are tried on it.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lab.cell import Turn
from lab.plugin import (
    Connect,
    Specification,
    impossible,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.wire import turn
from lab.wire.namespaces import EXTERNAL_SERVICES, NS
from lab.wire.session import Session, new_id, show, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._discovery import advertises, answered

XEP = Specification("XEP-0215")

ABSENT = {"service-unavailable", "feature-not-implemented"}
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""XEP-0082 §2.2 and §3.2, in UTC."""
NAME = re.compile(r"(?=.{1,253}\Z)([^\s.:/@]{1,63}\.)*[^\s.:/@]{1,63}")
TURN = re.compile(r"([1-9]\d{9,10})(:.*)?")
"""A user's name of time-limited credentials: when they expire (seconds since 1970), and perhaps who has them.

Fewer digits are no time of these days, but a name.
"""
SHA1_BYTES = 20

Key = tuple[str | None, str | None, str | None, str | None]


def _supporter(connect: Connect) -> Session:
    """A session whose server lists the feature (§5); else the check is `unsupported`."""
    alice = connect(label="alice")
    if not advertises(alice, alice.domain, EXTERNAL_SERVICES):
        unsupported(EXTERNAL_SERVICES)
    return alice


def _ask(session: Session, kind: str | None = None) -> Element:
    """Ask for all services, or those of a type. Answers the reply."""
    of_type = f" type='{kind}'" if kind else ""
    return session.iq("get", f"<services xmlns='{EXTERNAL_SERVICES}'{of_type}/>", to=session.domain)


def _ask_credentials(session: Session, attributes: str) -> Element:
    """Ask for credentials at a service with these attributes. Answers the reply."""
    asked = f"<credentials xmlns='{EXTERNAL_SERVICES}'><service {attributes}/></credentials>"
    return session.iq("get", asked, to=session.domain)


def _services(reply: Element, within: str = "services") -> list[Element]:
    """The services of a result."""
    require_result(reply)
    found = reply.find(f"extdisco:{within}", NS)
    require(found is not None, f"<{within}/>", reply)
    return [] if found is None else found.findall("extdisco:service", NS)


def _all(session: Session) -> list[Element]:
    """The server's services; where it knows of none, or tells of none (§2: MAY), there is nothing to check."""
    return _listed(_ask(session))


def _listed(reply: Element) -> list[Element]:
    if reply.get("type") == "error":
        require_error(reply)
        unsupported("telling the account of external services")
    found = _services(reply)
    if not found:
        unsupported("any external service")
    return found


def _key(service: Element) -> Key:
    """What tells a service from others; its credentials may differ from one answer to the next."""
    return service.get("type"), service.get("host"), service.get("port"), service.get("transport")


def _restricted(session: Session) -> Element:
    """A service that asks for credentials."""
    restricted = [s for s in _all(session) if s.get("restricted") in {"1", "true"}]
    if not restricted:
        unsupported("a service that asks for credentials")
    return restricted[0]


def _expires(service: Element) -> datetime | None:
    told = service.get("expires")
    return datetime.fromisoformat(told) if told and UTC_TIME.fullmatch(told) else None


# --- support


@XEP.must("5", says="Who tells of external services lists the feature urn:xmpp:extdisco:2.")
def test_support_is_advertised(alice: Session) -> None:
    if advertises(alice, alice.domain, EXTERNAL_SERVICES):
        return
    reply = answered(lambda: _ask(alice))
    require(stanza_error_condition(reply) in ABSENT, f"{EXTERNAL_SERVICES} in disco#info, or no services", reply)
    unsupported(EXTERNAL_SERVICES)


# --- the list


@XEP.should("2", says="Who asks for all services is given the list of them, by the server.")
def test_services_are_listed(connect: Connect) -> None:
    alice = _supporter(connect)
    reply = _ask(alice)
    _listed(reply)
    require_equal(reply.get("from"), alice.domain, "from")


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return NAME.fullmatch(text) is not None
    return True


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**16


@XEP.must("2", says="Each service has a host, which is a domain name or an address, and a type.")
def test_service_has_host_and_type(connect: Connect) -> None:
    for service in _all(_supporter(connect)):
        require(service.get("type"), "a type", service)
        require(_is_host(service.get("host", "")), "a domain name or an IP address as host", service)


@XEP.should("2", says="Each service has a port and the transport that it is spoken to over.")
def test_service_has_port_and_transport(connect: Connect) -> None:
    for service in _all(_supporter(connect)):
        require(service.get("port") and service.get("transport"), "a port and a transport", service)


FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "port": (_is_port, "a number from 1 to 65535"),
    "expires": (UTC_TIME.fullmatch, "a time of XEP-0082, in UTC"),
    "restricted": ({"0", "1", "false", "true"}.__contains__, "a boolean"),
    "transport": (re.compile(r"[A-Za-z_][\w.-]*").fullmatch, "the name of a transport"),
    "action": ({"add", "delete", "modify", "remove"}.__contains__, "a defined action"),
}


@XEP.must("2", says="What a service's attributes say is of the form that is defined for them.")
@pytest.mark.parametrize("name", FORMS)
def test_attribute_is_of_its_form(name: str, connect: Connect) -> None:
    told = [service for service in _all(_supporter(connect)) if service.get(name) is not None]
    if not told:
        unsupported(f"the attribute {name}")
    right, form = FORMS[name]
    for service in told:
        require(right(service.get(name, "")), f"{name}: {form}", service)


@XEP.must("2", says="Credentials that are given have not expired.")
def test_credentials_have_not_expired(connect: Connect) -> None:
    timed = [(service, end) for service in _all(_supporter(connect)) if (end := _expires(service)) is not None]
    if not timed:
        unsupported("the attribute expires")
    for service, end in timed:
        require(end > datetime.now(UTC), "a time to come", service)


@XEP.should("4", says="More about a service is told by a form of type result, a child of the service.")
def test_extended_information_is_a_form(connect: Connect) -> None:
    extended = [service for service in _all(_supporter(connect)) if len(service)]
    if not extended:
        unsupported("extended information")
    for service in extended:
        for child in service:
            require(
                child.tag == f"{{{NS['x']}}}x" and child.get("type") == "result", "a form of type result", service
            )


# --- by type


@XEP.must("3.2", says="Who asks for services of a type is given those of it, and no others.")
def test_services_of_a_type(connect: Connect) -> None:
    alice = _supporter(connect)
    everything = [_key(service) for service in _all(alice)]
    for kind in sorted({kind for kind, *_ in everything if kind}):
        found = [_key(service) for service in _services(_ask(alice, kind))]
        require_equal(sorted(map(str, found)), sorted(str(key) for key in everything if key[0] == kind), kind)


@XEP.must("3.2", says="Of a type that the server knows no service of, none is listed.")
@pytest.mark.parametrize("kind", ["ftp", "stanzalab"], ids=["registered", "unheard-of"])
def test_services_of_another_type(kind: str, connect: Connect) -> None:
    alice = _supporter(connect)
    if kind in {service.get("type") for service in _all(alice)}:
        unsupported(f"a server without {kind}")
    reply = _ask(alice, kind)
    if reply.get("type") == "error":
        require_error(reply)
    else:
        require_equal([_key(service) for service in _services(reply)], [], "services")


# --- credentials


def _at(service: Element, *, port: bool = False) -> str:
    at = f"host='{service.get('host')}' type='{service.get('type')}'"
    return f"{at} port='{service.get('port')}'" if port else at


@XEP.should("3.3", says="Who asks for credentials at a service, by its host and type, is given them for it alone.")
@pytest.mark.parametrize("port", [False, True], ids=["host-and-type", "port-too"])
def test_credentials_are_given(port: bool, connect: Connect) -> None:
    alice = _supporter(connect)
    service = _restricted(alice)
    reply = _ask_credentials(alice, _at(service, port=port))
    if reply.get("type") == "error":  # §3.3: "if possible"
        require_error(reply)
        unsupported("credentials that are asked for")
    found = _services(reply, "credentials")
    require(found, "a service", reply)
    for given in found:
        require_equal(
            (given.get("host"), given.get("type")), (service.get("host"), service.get("type")), "host, type"
        )
        require(given.get("username") and given.get("password"), "username and password", reply)
        if port:
            require(given.get("port") in {service.get("port"), None}, f"port {service.get('port')}", reply)


def _tells_secrets(reply: Element) -> bool:
    return any(service.get("password") for service in reply.iter(f"{{{EXTERNAL_SERVICES}}}service"))


@XEP.must("3.3", says="For a service that the server does not know, no credentials are given.")
@pytest.mark.parametrize("what", ["host", "type"])
def test_no_credentials_elsewhere(what: str, connect: Connect) -> None:
    alice = _supporter(connect)
    reply = _ask_credentials(alice, _elsewhere(_restricted(alice), what))
    if reply.get("type") == "error":
        require_error(reply)
    else:
        require_result(reply)
    require(not _tells_secrets(reply), "no credentials", reply)


@XEP.should("3.3", says="Where the server has no credentials at a service, it says so by a stanza error.")
@pytest.mark.parametrize("what", ["host", "type"])
def test_credentials_elsewhere_are_an_error(what: str, connect: Connect) -> None:
    alice = _supporter(connect)
    require_error(_ask_credentials(alice, _elsewhere(_restricted(alice), what)))


def _elsewhere(service: Element, what: str) -> str:
    """The service's attributes, but for one."""
    known = {"host": service.get("host", ""), "type": service.get("type", ""), "port": service.get("port", "")}
    other = {"host": f"{new_id()}.example", "type": "ftp", "port": "9"}
    return " ".join(f"{name}='{value}'" for name, value in (known | {what: other[what]}).items() if value)


@XEP.should("3.3", says="A request for credentials that does not say which host, or which type, is refused.")
@pytest.mark.parametrize("missing", ["host", "type"])
def test_request_without_host_or_type_is_refused(missing: str, connect: Connect) -> None:
    alice = _supporter(connect)
    service = _restricted(alice)
    given = {"host": "type", "type": "host"}[missing]
    reply = _ask_credentials(alice, f"{given}='{service.get(given)}'")
    require_error(reply)
    require(not _tells_secrets(reply), "no credentials", show(reply))


@XEP.may("3.3", "2", says="Time-limited TURN credentials end when the user's name and expires say.")
def test_turn_credentials_are_time_limited(connect: Connect) -> None:
    alice = _supporter(connect)
    turns = [s for s in _all(alice) if (s.get("type") or "").startswith("turn") and s.get("username")]
    if not turns:
        unsupported("credentials for TURN in the list")
    for service in turns:
        name = TURN.fullmatch(service.get("username", ""))
        if name is None:
            unsupported("time-limited credentials")
        end = datetime.fromtimestamp(int(name[1]), UTC)
        require(end > datetime.now(UTC), "a user's name that has not expired", service)
        told = _expires(service)
        require(told is None or abs((told - end).total_seconds()) < 1, f"expires: {end.isoformat()}", service)
        require(
            _decoded_size(service.get("password", "")) == SHA1_BYTES, "an HMAC-SHA1 in base64 as password", service
        )


def _decoded_size(text: str) -> int:
    try:
        return len(b64decode(text, validate=True))
    except ValueError:
        return -1


# --- credentials, tried


def _turn(connect: Connect) -> Turn:
    """The cell's TURN server, which lets in nobody without credentials; else the check is `impossible`."""
    place = connect.cell.turn
    if place is None:
        impossible("the cell has no TURN server")
    for name, password in ((None, None), (new_id(), new_id())):
        try:
            _allocated(connect, place, name, password, "udp")
        except turn.Refused:
            continue
        impossible("the TURN server lets everybody in")
    return place


def _allocated(connect: Connect, place: Turn, name: str | None, password: str | None, over: str) -> tuple[str, int]:
    at = place.reached
    return turn.allocate(at.host, at.port, name, password, over=over, patience=connect.cell.patience)


def _for_turn(services: list[Element], place: Turn) -> list[Element]:
    """Those with credentials for just that server."""
    there = (place.host, str(place.port))
    return [s for s in services if s.get("password") and (s.get("host"), s.get("port", str(place.port))) == there]


@XEP.must("3.3", "2", says="The credentials for a TURN server let in: it gives out a relayed address for them.")
@pytest.mark.parametrize("source", ["list", "request"])
def test_turn_credentials_let_in(source: str, connect: Connect) -> None:
    place = _turn(connect)
    alice = _supporter(connect)
    listed = [s for s in _all(alice) if (s.get("type") or "").startswith("turn")]
    if source == "list":
        given = [s for s in listed if s.get("password")]
    else:
        # In what they stand is the matter of another check.
        replies = [_ask_credentials(alice, _at(service)) for service in listed]
        given = [s for reply in replies for s in reply.iter(f"{{{EXTERNAL_SERVICES}}}service") if s.get("password")]
    if not given:
        unsupported("credentials for TURN")
    usable = _for_turn(given, place)
    if not usable:
        impossible(f"the credentials are for {given[0].get('host')}, which the cell's TURN server is not")
    for service in usable:
        _lets_in(connect, place, service)


def _lets_in(connect: Connect, place: Turn, service: Element) -> None:
    name, password, over = service.get("username"), service.get("password") or "", service.get("transport", "udp")
    try:
        relayed = _allocated(connect, place, name, password, over)
    except turn.Refused as error:
        require(False, "a relayed address for the credentials", f"{error.message}, for {show(service)}")
        return
    require(relayed[0] and relayed[1], "a relayed address for the credentials", str(relayed))
    connect.trace.note("turn", f"a relayed address for {name}: {relayed[0]}:{relayed[1]}")
    for other in ({"name": f"{name}x", "password": password}, {"name": name, "password": f"{password}x"}):
        try:
            _allocated(connect, place, other["name"], other["password"], over)
        except turn.Refused as error:
            require_equal(error.code, 401, "error of STUN for other credentials")
        else:
            require(False, "no relayed address for other credentials", f"one for {other}")
