"""XEP-0156: host-meta, by which web clients find WebSocket and BOSH. It is asked for at the cell's HTTPS port."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.cell import WITHIN_HTTP, WithinHttp
from lab.plugin import Connect, Specification, proved_by, require, require_equal, unsupported
from lab.plugin.judge import Missed
from lab.wire.framing import root_of
from lab.wire.http import Response
from lab.wire.namespaces import XRD
from lab.wire.stream import PeerViolation

XEP = Specification("XEP-0156")

XML_PATH = "/.well-known/host-meta"
JSON_PATH = "/.well-known/host-meta.json"
RELATIONS: dict[WithinHttp, str] = {
    "websocket": "urn:xmpp:alt-connections:websocket",
    "bosh": "urn:xmpp:alt-connections:xbosh",
}
ORIGIN = "https://web-client.example"

each_method = pytest.mark.parametrize("method", WITHIN_HTTP)

Link = tuple[str, str]


def xml_response(connect: Connect) -> Response:
    """The answer to a request for host-meta; the check is not supported where there is none."""
    response = connect.http(XML_PATH, headers=[("Origin", ORIGIN)])
    if response.status == 404:
        unsupported("host-meta")
    require_equal(response.status, 200, "the HTTP status of host-meta")
    return response


def xml_links(response: Response) -> list[Link]:
    """Relation and address of each link of an XRD document."""
    try:
        root = root_of(response.body)
    except PeerViolation as violation:
        raise Missed("an XRD document", f"{violation.message}: {violation.seen}") from violation
    require_equal(root.tag, f"{{{XRD}}}XRD", "the root element")
    return [(link.get("rel") or "", link.get("href") or "") for link in root.iterfind(f"{{{XRD}}}Link")]


def of_xmpp(links: list[Link]) -> list[Link]:
    """The links of this specification, in an order of their own: theirs means nothing (§2.2)."""
    return sorted(link for link in links if link[0].startswith("urn:xmpp:alt-connections:"))


@XEP.must("2.2", says="The connection methods are told in the XRD format, as links with a relation and an address.")
@proved_by("host-meta-is-not-xrd")
def test_methods_are_told_as_xrd(connect: Connect) -> None:
    links = of_xmpp(xml_links(xml_response(connect)))
    require(links, "a link of urn:xmpp:alt-connections", "none")
    require(all(href for _, href in links), "an address in every link", str(links))


@each_method
@XEP.must("2.2", says="Each method that the server has, WebSocket and BOSH, is told.")
@proved_by("host-meta-without-links")
def test_each_method_is_told(method: WithinHttp, connect: Connect) -> None:
    relations = [relation for relation, _ in xml_links(xml_response(connect))]
    if connect.cell.endpoint(method) is None:
        unsupported(f"{method}, as far as the cell file says")
    require(RELATIONS[method] in relations, f"a link {RELATIONS[method]}", ", ".join(relations) or "no link")


@XEP.must("2.2", "4", says="Addresses are of https or wss alone.")
@proved_by("host-meta-insecure-links")
def test_addresses_are_secure(connect: Connect) -> None:
    for relation, href in of_xmpp(xml_links(xml_response(connect))):
        scheme = "wss" if relation == RELATIONS["websocket"] else "https"
        require_equal(urlsplit(href).scheme, scheme, f"the scheme of {href}")


@each_method
@XEP.must("2.2", says="The address that is told is the method's: its path is where the server has it.")
@proved_by("host-meta-wrong-links")
def test_address_leads_to_the_method(method: WithinHttp, connect: Connect) -> None:
    told = [href for relation, href in xml_links(xml_response(connect)) if relation == RELATIONS[method]]
    endpoint = connect.cell.endpoint(method)
    if endpoint is None:
        unsupported(f"{method}, as far as the cell file says")
    if not told:
        unsupported(f"{method} in host-meta")
    # The port is that of the server's own network, and the cell's is where this machine reaches it.
    paths = [urlsplit(href).path for href in told]
    require(endpoint.path in paths, f"the path {endpoint.path}", ", ".join(told))
    hosts = {urlsplit(href).hostname for href in told}
    require_equal(hosts, {connect.cell.domain}, "the hosts of the addresses")


@XEP.should("2.2", says="The JRD format is provided as well, and says the same.")
@proved_by("no-json-host-meta")
def test_methods_are_told_as_json(connect: Connect) -> None:
    expected = of_xmpp(xml_links(xml_response(connect)))
    response = connect.http(JSON_PATH)
    require_equal(response.status, 200, "the HTTP status of host-meta.json")
    require_equal(of_xmpp(_json_links(response)), expected, "the links in JSON")


@XEP.should("2.2", says="host-meta comes as application/xrd+xml, host-meta.json as application/json.")
@pytest.mark.parametrize(
    ("path", "kind"), [(XML_PATH, "application/xrd+xml"), (JSON_PATH, "application/json")], ids=["xml", "json"]
)
@proved_by("host-meta-other-type")
def test_media_type(path: str, kind: str, connect: Connect) -> None:
    xml_response(connect)
    response = connect.http(path)
    if response.status == 404:
        unsupported("host-meta.json")
    told = (response.header("content-type") or "none").partition(";")[0].strip().lower()
    require_equal(told, kind, "the Content-Type")


@XEP.should("3", says="Scripts of other origins may read it: an Access-Control-Allow-Origin header says so.")
@pytest.mark.parametrize("path", [XML_PATH, JSON_PATH], ids=["xml", "json"])
@proved_by("host-meta-without-cors")
def test_other_origins_may_read_it(path: str, connect: Connect) -> None:
    xml_response(connect)
    response = connect.http(path, headers=[("Origin", ORIGIN)])
    if response.status == 404:
        unsupported("host-meta.json")
    allowed = response.header("access-control-allow-origin")
    require(allowed in {"*", ORIGIN}, f"Access-Control-Allow-Origin: * (or {ORIGIN})", allowed or "no such header")


def _json_links(response: Response) -> list[Link]:
    try:
        document: Any = json.loads(response.body)
        return [(link.get("rel", ""), link.get("href", "")) for link in document["links"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Missed("a JSON object with links", f"{error}: {response.body[:200]!r}") from error
