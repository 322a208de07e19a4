"""RFC 6120 §5.2, §6.2, §7: a login from start to end, and the resource that it brings."""

from __future__ import annotations

from lab.cell import Cell
from lab.plugin import Specification, require, require_equal
from lab.plugin.clients import Arrivals, has
from lab.wire.namespaces import CLIENT, NS, STANZA_ERROR
from lab.wire.session import localname, show
from lab.wire.stream import Element
from scenarios.client.rfc6120._login import logs_in

RFC = Specification("RFC 6120")


def asks_for_a_resource(element: Element) -> bool:
    return element.get("type") == "set" and has("bind:bind")(element)


@RFC.must("5.2", "6.2", "7.2", says="A client logs in to the server itself: TLS, SASL and a resource of its own.")
def test_client_logs_in_with_nobody_between(arrive: Arrivals, cell: Cell) -> None:
    agent = arrive.to_the_server_itself()
    jid = agent.ask("connect")["jid"]
    bare, _, resource = jid.partition("/")
    require(bare.endswith(f"@{cell.domain}") and resource, f"a full JID at {cell.domain}", jid)


@RFC.must("7.1", "4.3.5", says="A client sends nothing to others before it has bound a resource.")
def test_client_binds_before_it_talks_to_others(arrive: Arrivals) -> None:
    client = arrive()
    sent = client.sent(lambda e: e.tag.startswith(f"{{{CLIENT}}}"))
    places = [place for place, element in enumerate(sent) if asks_for_a_resource(element)]
    require(places, "a request for a resource", "none")
    own = {None, client.domain, client.bare_jid}  # to the server and the own account it may talk before
    early = [e for e in sent[: places[0]] if e.get("to") not in own or localname(e) != "iq"]
    require(not early, "nothing to others before the resource", "; ".join(show(e) for e in early))


@RFC.must("7.1", "7.3.1", says="A client that gets no resource does not go on without: no presence, no message.")
def test_client_does_not_go_on_without_a_resource(arrive: Arrivals) -> None:
    client = arrive(online=False)

    def refused(element: Element) -> tuple[Element, ...]:
        if not asks_for_a_resource(element):
            return (element,)
        error = f"<error type='cancel'><not-allowed xmlns='{STANZA_ERROR}'/></error>"
        client.tap.inject(f"<iq type='error' id='{element.get('id')}'>{error}</iq>")
        return ()

    client.tap.from_client = refused
    online = logs_in(client)
    require(client.sent(asks_for_a_resource), "a request for a resource", "none")
    client.sends_nothing("<presence/>", lambda e: localname(e) in {"presence", "message"}, "presence, no message")
    require(not online, "a client that says that it could not log in", "it said that it did")


@RFC.must(
    "4.3.6",
    "7.6.1",
    "7.7.1",
    says="A client's address is the one that the server bound, not the one it asked for.",
)
def test_client_takes_the_resource_that_it_is_given(arrive: Arrivals) -> None:
    client = arrive(online=False, resource="asked-for")
    given = f"{client.bare_jid}/given"
    bound: list[str] = []  # what the server knows it by

    def to_client(element: Element) -> tuple[Element, ...]:
        jid = element.find("bind:bind/bind:jid", NS)
        if jid is not None:
            bound.append(jid.text or "")
            jid.text = given
        for name in ("from", "to"):
            if element.get(name) in bound:
                element.set(name, given)
        return (element,)

    def to_server(element: Element) -> tuple[Element, ...]:
        element.attrib.pop("from", "")  # the server would not know it
        return (element,)

    client.tap.from_server, client.tap.from_client = to_client, to_server
    jid = client.does("connect")["jid"]
    require(bound, "a request for a resource", "none")
    require_equal(jid, given, "the JID")
