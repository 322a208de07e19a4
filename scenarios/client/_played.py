"""A client's own account and one contact of it, as the tap plays them: the same before every server.

The tap answers the client's roster, discovery of its account and server, carbons, publishing and the archive, and
takes whatever goes to the contact or to a stranger. All else goes on to the server. So the checks of messaging need
nothing of the server, and nobody there knows the addresses that they speak of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lab.agents.agent import Event
from lab.plugin.clients import Arrive, ClientUnderTest
from lab.plugin.judge import unsupported
from lab.tap.line import Piece
from lab.tap.tap import Matches
from lab.wire.namespaces import (
    ARCHIVE,
    CAPS,
    CARBONS,
    CHAT_STATES,
    CLIENT,
    CORRECTION,
    DISCO_INFO,
    FORWARD,
    LAB,
    MUC,
    NS,
    PUBSUB,
    RECEIPTS,
    ROSTER,
    RSM,
    STANZA_ERROR,
)
from lab.wire.session import localname, new_id, parse
from lab.wire.stream import Element
from scenarios.server._caps import verification_string

TRIES = 3  # how often a client is asked what it shows, each time behind a sentinel: it may take a moment
ID = "archived-"
FORGERS = (
    "stranger",
    "contact",
    "own-resource",
    "own-other-resource",
    "server",
    "longer-domain",
    "own-account-as-resource",
)
"""Who may not speak for the own account: nobody but its bare JID may. The last two only look like it."""

_ACCOUNT = "<identity category='account' type='registered'/><identity category='pubsub' type='pep'/>" + "".join(
    f"<feature var='{feature}'/>"
    for feature in (
        DISCO_INFO,
        PUBSUB,
        *(f"{PUBSUB}#{name}" for name in ("auto-create", "auto-subscribe", "filtered-notifications", "publish")),
        ARCHIVE,
        CARBONS,
    )
)
_SERVER = "<identity category='server' type='im'/>" + "".join(
    f"<feature var='{feature}'/>" for feature in (DISCO_INFO, "urn:xmpp:ping", CARBONS)
)
_CONTACT = "<identity category='client' type='phone'/>" + "".join(
    f"<feature var='{feature}'/>" for feature in (DISCO_INFO, RECEIPTS, CORRECTION, CHAT_STATES)
)

_ROOM = "<identity category='conference' type='text'/>" + "".join(
    f"<feature var='{feature}'/>" for feature in (DISCO_INFO, MUC, "muc_open", "muc_unmoderated", "muc_unsecured")
)


@dataclass(frozen=True)
class Archived:
    """A message in the archive: who sent it, its text, when (XEP-0082), and what else is in it."""

    sender: str
    body: str
    stamp: str
    content: str = ""


class Played:
    """Plays the account of `client`; made before it connects.

    `contact` is on its roster with a subscription both ways, `device` an address of the contact's, `stranger` the
    full JID of somebody who is not on it. `items` is the roster, `archive` the archive, each to be changed at will;
    `intruders` are sent in the middle of the next results of the archive, given the query's id.
    """

    def __init__(self, client: ClientUnderTest) -> None:
        self.client = client
        self.contact = f"contact-{new_id()}@{client.domain}"
        self.device = f"{self.contact}/phone"
        self.stranger = f"stranger-{new_id()}@{client.domain}/lab"
        self.fence = f"fence-{new_id()}@{client.domain}"
        self.items: dict[str, str] = {self.contact: "subscription='both' name='The contact'"}
        self.archive: Sequence[Archived] = ()
        self.intruders: Callable[[str], Iterable[str]] = lambda _: ()
        client.tap.from_client = self.from_client

    # --- what reaches the client

    def message(self, sender: str, body: str = "", content: str = "", *, kind: str | None = "chat") -> str:
        """Send the client a message as if from `sender`; its id."""
        identifier = new_id()
        type_ = f" type={quoteattr(kind)}" if kind is not None else ""
        text = f"<body>{escape(body)}</body>" if body else ""
        self.client.tap.inject(
            f"<message from={quoteattr(sender)} to={quoteattr(self.client.jid)} id='{identifier}'{type_}>"
            f"{text}{content}</message>"
        )
        return identifier

    def presence(self, sender: str, kind: str | None = None, content: str = "") -> str:
        """Send it presence; its id."""
        identifier = new_id()
        type_ = f" type={quoteattr(kind)}" if kind is not None else ""
        to = self.client.bare_jid if kind == "subscribe" else self.client.jid
        self.client.tap.inject(
            f"<presence from={quoteattr(sender)} to={quoteattr(to)} id='{identifier}'{type_}>{content}</presence>"
        )
        return identifier

    def available(self) -> None:
        """The contact becomes available, and announces (XEP-0115) receipts, corrections and chat states."""
        query = parse(f"<query xmlns='{DISCO_INFO}'>{_CONTACT}</query>")
        ver = verification_string(query)
        self.presence(self.device, content=f"<c xmlns='{CAPS}' hash='sha-1' node='{LAB}' ver={quoteattr(ver)}/>")

    def push(self, jid: str, attributes: str, *, sender: str | None = None) -> str:
        """Send it a roster push (RFC 6121 §2.1.6); its id. One of the own account's changes the roster, too."""
        identifier = new_id()
        if sender in {None, self.client.bare_jid}:
            self.items[jid] = attributes
            if "'remove'" in attributes:
                del self.items[jid]
        from_ = f" from={quoteattr(sender)}" if sender is not None else ""
        self.client.tap.inject(
            f"<iq type='set' id='{identifier}'{from_} to={quoteattr(self.client.jid)}>"
            f"<query xmlns='{ROSTER}'><item jid={quoteattr(jid)} {attributes}/></query></iq>"
        )
        return identifier

    def forger(self, which: str) -> str:
        """The address of one of `FORGERS`."""
        bare = self.client.bare_jid
        return {
            "stranger": self.stranger,
            "contact": self.device,
            "own-resource": self.client.jid,
            "own-other-resource": f"{bare}/another",
            "server": self.client.domain,
            "longer-domain": f"{bare}.example",
            "own-account-as-resource": f"{bare_of(self.stranger)}/{bare}",
        }[which]

    def settled(self) -> None:
        """Wait until the client has seen all that was sent to it: it shows a message of the contact's behind that."""
        self.client.sentinel(self.device)

    def sent(self, matches: Matches) -> list[Element]:
        """All that fits of what the client has sent by the time that it has seen all that was sent to it.

        It sends a message then, to somebody that nobody else knows: what it sent before has come when that has.
        """
        self._fenced()
        return self.client.sent(matches)

    def _fenced(self) -> None:
        self.settled()
        body = f"sentinel-{new_id()}"
        self.client.does("send-message", to=self.fence, body=body)
        self.client.sends(
            lambda e: e.findtext(f"{{{CLIENT}}}body") == body, f"the message {body!r} that was asked for"
        )

    def sends_nothing(self, forbidden: str, matches: Matches, what: str) -> None:
        """As `ClientUnderTest.sends_nothing`, by the time that it has seen all that was sent to it."""
        self._fenced()
        self.client.sends_nothing(forbidden, matches, what)

    def shows_nothing(self, kind: str, matches: Callable[[Event], bool], what: str) -> None:
        """As `ClientUnderTest.shows_nothing`, behind more than one message: a client may work on several at once."""
        self._fenced()
        self.client.shows_nothing(kind, matches, what, sender=self.device)

    # --- what is asked of it

    def roster(self, until: Callable[[Mapping[str, Any]], bool]) -> dict[str, dict[str, Any]]:
        """What it shows as its roster, by bare JID: as soon as that is so, or after a few tries."""
        contacts: dict[str, dict[str, Any]] = {}
        for _ in range(TRIES):
            self.settled()
            contacts = {bare_of(c["jid"]): c for c in self.client.does("roster")["contacts"]}
            if until(contacts):
                break
        return contacts

    def features(self) -> set[str]:
        """What it says that it can do, asked by the contact; empty where it does not say."""
        reply = self.client.answers("get", f"<query xmlns='{DISCO_INFO}'/>", sender=self.device)
        return {feature.get("var", "") for feature in reply.iterfind("disco:query/disco:feature", NS)}

    def needs(self, feature: str) -> None:
        """The check is `unsupported` where the client does not say that it can do that."""
        if feature not in self.features():
            unsupported(f"{self.client.place.title} does not advertise {feature}")

    # --- what the tap makes of what the client sends

    def from_client(self, element: Element) -> Iterable[Piece]:
        """The filter."""
        answer = self._answer(element)
        if answer is None:
            return (element,)
        for piece in answer:
            self.client.tap.inject(piece)
        return ()

    def _answer(self, element: Element) -> Iterable[str] | None:
        """What the client gets for it; None where it goes on to the server."""
        to = element.get("to")
        people = {self.contact, bare_of(self.stranger), self.fence}
        if localname(element) in {"message", "presence"}:
            return () if to is not None and bare_of(to) in people else None
        if localname(element) != "iq" or element.get("type") not in {"get", "set"} or not len(element):
            return None
        if to is None or to == self.client.bare_jid:
            answer = self._of_account.get(f"{element.get('type')} {element[0].tag}")
            return answer(element) if answer is not None else None
        if to == self.client.domain:
            return self._info(element, _SERVER)
        if bare_of(to) in people:
            return self._info(element, _CONTACT) or (self._refusal(element),)
        return None

    @property
    def _of_account(self) -> Mapping[str, Callable[[Element], Iterable[str] | None]]:
        """What its account answers, by type and payload of the iq."""
        return {
            f"get {{{ROSTER}}}query": self._get_roster,
            f"set {{{ROSTER}}}query": self._set_roster,
            f"get {{{DISCO_INFO}}}query": lambda iq: self._info(iq, _ACCOUNT),
            f"set {{{CARBONS}}}enable": lambda iq: (self._reply(iq, ""),),
            f"set {{{CARBONS}}}disable": lambda iq: (self._reply(iq, ""),),
            f"set {{{ARCHIVE}}}query": self._archived,
            f"set {{{PUBSUB}}}pubsub": self._published,
        }

    def _get_roster(self, iq: Element) -> Iterable[str]:
        items = "".join(f"<item jid={quoteattr(jid)} {rest}/>" for jid, rest in self.items.items())
        return (self._reply(iq, f"<query xmlns='{ROSTER}'>{items}</query>"),)

    def _published(self, iq: Element) -> Iterable[str] | None:
        publish = iq.find("pubsub:pubsub/pubsub:publish", NS)
        if publish is None:
            return None
        node = quoteattr(publish.get("node", ""))
        item = f"<publish node={node}><item id='{new_id()}'/></publish>"
        return (self._reply(iq, f"<pubsub xmlns='{PUBSUB}'>{item}</pubsub>"),)

    def _set_roster(self, iq: Element) -> Iterable[str]:
        """A result and a push for each item (RFC 6121 §2.3.2)."""
        yield self._reply(iq, "")
        for item in iq.iterfind("roster:query/roster:item", NS):
            jid = item.get("jid", "")
            if item.get("subscription") == "remove":
                self.items.pop(jid, None)
                rest = "subscription='remove'"
            else:
                rest = self.items.setdefault(jid, "subscription='none'")
            yield (
                f"<iq type='set' id='{new_id()}' to={quoteattr(self.client.jid)}><query xmlns='{ROSTER}'>"
                f"<item jid={quoteattr(jid)} {rest}/></query></iq>"
            )

    def _archived(self, iq: Element) -> Iterable[str]:
        """A page of the archive, in order, with what intrudes in its middle (XEP-0313 §4.2, XEP-0059 §2)."""
        query = iq[0].get("queryid", "")
        fields = {f.get("var"): f.findtext("x:value", "", NS) for f in iq[0].iterfind("x:x/x:field", NS)}
        with_ = bare_of(fields.get("with") or "")
        found = [(f"{ID}{n}", m) for n, m in enumerate(self.archive) if with_ in {"", bare_of(m.sender)}]
        page = _page(found, iq[0].find(f"{{{RSM}}}set"))
        middle = len(page) // 2
        for place, (identifier, message) in enumerate(page):
            if place == middle:
                yield from self.intruders(query)
            yield self.result(message, query, identifier, self.client.bare_jid)
        if not page:
            yield from self.intruders(query)
        ends = f"<first index='{found.index(page[0])}'>{page[0][0]}</first><last>{page[-1][0]}</last>" if page else ""
        complete = " complete='true'" if len(page) in {0, len(found)} else ""
        rsm = f"<set xmlns='{RSM}'>{ends}<count>{len(found)}</count></set>"
        yield self._reply(iq, f"<fin xmlns='{ARCHIVE}'{complete}>{rsm}</fin>")

    def result(self, message: Archived, query: str, identifier: str, archive: str | None) -> str:
        """A result of the archive as if from `archive` (None: without an address)."""
        from_ = f" from={quoteattr(archive)}" if archive is not None else ""
        queryid = f" queryid={quoteattr(query)}" if query else ""
        to = self.client.bare_jid
        return (
            f"<message{from_} to={quoteattr(self.client.jid)} id='{new_id()}'>"
            f"<result xmlns='{ARCHIVE}'{queryid} id='{identifier}'><forwarded xmlns='{FORWARD}'>"
            f"<delay xmlns='urn:xmpp:delay' stamp='{message.stamp}'/>"
            f"<message xmlns='jabber:client' from={quoteattr(message.sender)} to={quoteattr(to)} type='chat' "
            f"id='{new_id()}'><body>{escape(message.body)}</body>{message.content}</message>"
            f"</forwarded></result></message>"
        )

    def answers_as_room(self, iq: Element) -> str:
        """What a room, or the service that has it, answers: what it is, or that it knows no more."""
        info = self._info(iq, _ROOM)
        return "".join(info) if info is not None else self._refusal(iq)

    def _refusal(self, iq: Element) -> str:
        error = f"<error type='cancel'><service-unavailable xmlns='{STANZA_ERROR}'/></error>"
        return self._reply(iq, error, "error")

    def _info(self, iq: Element, content: str) -> Iterable[str] | None:
        """The answer to a plain request for information; None for anything else."""
        query = iq.find("disco:query", NS)
        node = "" if query is None else query.get("node", "")
        if iq.get("type") != "get" or query is None or not (node == "" or node.startswith(f"{LAB}#")):
            return None
        of_node = f" node={quoteattr(node)}" if node else ""
        return (self._reply(iq, f"<query xmlns='{DISCO_INFO}'{of_node}>{content}</query>"),)

    def _reply(self, iq: Element, content: str, kind: str = "result") -> str:
        sender = iq.get("to") or self.client.bare_jid
        return (
            f"<iq type='{kind}' id={quoteattr(iq.get('id', ''))} from={quoteattr(sender)} "
            f"to={quoteattr(self.client.jid)}>{content}</iq>"
        )


def arrived(arrive: Arrive, **how: Any) -> Played:
    """A client online, with its account played. `how` is what `arrive` takes."""
    client = arrive(online=False, **how)
    played = Played(client)
    client.connects()
    return played


def carbon(kind: str, message: str) -> str:
    """What a copy of `message` has in it (XEP-0280 §7, §8): `kind` is `sent` or `received`."""
    return f"<{kind} xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'>{message}</forwarded></{kind}>"


def bare_of(jid: str) -> str:
    return jid.partition("/")[0].lower()


def _page(found: list[tuple[str, Archived]], asked: Element | None) -> list[tuple[str, Archived]]:
    """What Result Set Management asks for of it (XEP-0059 §2.2 to §2.5)."""
    if asked is None:
        return found
    names = [identifier for identifier, _ in found]
    before, after = (asked.findtext(f"{{{RSM}}}{name}") for name in ("before", "after"))
    if before in names:
        found = found[: names.index(before)]
    elif after in names:
        found = found[names.index(after) + 1 :]
    most = int(asked.findtext(f"{{{RSM}}}max") or len(found))
    return found[max(0, len(found) - most) :] if before is not None else found[:most]
