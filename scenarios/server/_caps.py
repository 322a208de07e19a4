"""XEP-0115 as checks play it: the verification string, and a client that says what it wants to be told of.

What a server makes of it is judged in the modules beside this one; nothing here judges.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from secrets import token_hex

from lab.plugin import impossible
from lab.wire.namespaces import CAPS, DISCO_INFO, DISCO_ITEMS, NS, XML_LANG
from lab.wire.session import Matches, Session, localname, parse
from lab.wire.stream import Element

ALGORITHMS = {"sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""The hash functions' names at IANA, as caps give them, and at Python's hashlib."""


def verification_string(query: Element, algorithm: str = "sha-1") -> str:
    """The value of `ver` for a disco#info result (XEP-0115 §5.1), forms without hidden FORM_TYPE left out."""
    if algorithm not in ALGORITHMS:
        impossible(f"the lab does not know the hash function {algorithm!r}")
    text = "".join(part + "<" for part in _parts(query))
    return b64encode(hashlib.new(ALGORITHMS[algorithm], text.encode()).digest()).decode()


def _parts(query: Element) -> Iterator[str]:
    yield from _sorted("/".join(identity) for identity in identities(query))
    yield from _sorted(features(query))
    forms = {kind: form for form in query.iterfind("x:x", NS) if (kind := form_type(form)) is not None}
    for kind in _sorted(forms):
        yield kind
        fields = {field.get("var", ""): field for field in forms[kind].iterfind("x:field", NS)}
        for var in _sorted(fields):
            if var != "FORM_TYPE":
                yield var
                yield from _sorted(value.text or "" for value in fields[var].iterfind("x:value", NS))


def _sorted(texts: Iterable[str]) -> list[str]:
    """In the order of i;octet (RFC 4790 §9.3)."""
    return sorted(texts, key=str.encode)


def identities(query: Element) -> list[tuple[str, str, str, str]]:
    """Category, type, language and name of each identity, in the order of the result."""
    return [
        (i.get("category", ""), i.get("type", ""), i.get(XML_LANG, ""), i.get("name", ""))
        for i in query.iterfind("disco:identity", NS)
    ]


def features(query: Element) -> list[str]:
    """The features' names, in the order of the result."""
    return [feature.get("var", "") for feature in query.iterfind("disco:feature", NS)]


def form_type(form: Element) -> str | None:
    """The FORM_TYPE of a data form (XEP-0068), None where it has none that is hidden."""
    field = form.find("x:field[@var='FORM_TYPE'][@type='hidden']", NS)
    return None if field is None else field.findtext("x:value", "", NS)


@dataclass(frozen=True)
class Capabilities:
    """What a client can do. `node` is nobody else's, so no server has its `ver` in a cache yet."""

    node: str
    features: tuple[str, ...]
    ver: str
    algorithm: str = "sha-1"

    @property
    def caps(self) -> str:
        """The annotation of a presence (§4)."""
        return f"<c xmlns='{CAPS}' hash='{self.algorithm}' node='{self.node}' ver='{self.ver}'/>"

    def presence(self, status: str = "") -> str:
        """Available presence with the caps, and a text to tell it from others."""
        text = f"<status>{status}</status>" if status else ""
        return f"<presence>{text}{self.caps}</presence>"

    def info(self) -> str:
        """What stands inside the `<query/>` of the answer to disco#info."""
        return _info(self.features)

    def answer(self, session: Session, request: Element) -> None:
        """Answer a disco#info request: for the caps node or none, all that the client can do (§6.2)."""
        node = request[0].get("node")
        mirrored = f" node='{node}'" if node else ""
        to = f" to='{request.get('from')}'" if request.get("from") else ""
        if node in {None, f"{self.node}#{self.ver}"}:
            kind, payload = "result", f"<query xmlns='{DISCO_INFO}'{mirrored}>{self.info()}</query>"
        else:
            kind = "error"
            payload = f"<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>"
        session.send(f"<iq type='{kind}' id='{request.get('id')}'{to}>{payload}</iq>")


def fresh_capabilities(*wanted: str, algorithm: str = "sha-1") -> Capabilities:
    """Fresh capabilities of a client that wants notifications from the nodes `wanted` (XEP-0060 §9.2)."""
    unique = token_hex(6)
    listed = (DISCO_INFO, DISCO_ITEMS, CAPS, f"urn:stanzalab:{unique}", *(f"{node}+notify" for node in wanted))
    query = parse_query(_info(listed))
    return Capabilities(f"https://{unique}.example", listed, verification_string(query, algorithm), algorithm)


def _info(listed: Iterable[str]) -> str:
    return "<identity category='client' type='bot' name='lab'/>" + "".join(f"<feature var='{f}'/>" for f in listed)


def parse_query(children: str) -> Element:
    """A disco#info `<query/>` from the text of its children."""
    return parse(f"<query xmlns='{DISCO_INFO}'>{children}</query>")


def is_info_request(element: Element) -> bool:
    """Whether a stanza asks for disco#info."""
    asked = localname(element) == "iq" and element.get("type") == "get" and len(element) == 1
    return asked and element[0].tag == f"{{{DISCO_INFO}}}query"


class Client:
    """A session whose presence carries caps, and which answers whoever asks what they mean."""

    def __init__(self, session: Session, *wanted: str, same_as: Client | None = None) -> None:
        self.session = session
        self.capabilities: Capabilities = same_as.capabilities if same_as else fresh_capabilities(*wanted)

    def appear(self, status: str = "") -> None:
        """Send available presence with caps."""
        self.session.send(self.capabilities.presence(status))

    def change(self, *wanted: str) -> None:
        """Other capabilities from now on, and the presence that says so (§6.1)."""
        self.capabilities = fresh_capabilities(*wanted)
        self.appear()

    def expect(self, matches: Matches, what: str, *, timeout: float | None = None) -> Element:
        """As `Session.expect`; disco#info requests that come before are answered."""
        while True:
            element = self.session.expect(lambda e: is_info_request(e) or matches(e), what, timeout=timeout)
            if not is_info_request(element):
                return element
            self.capabilities.answer(self.session, element)

    def sentinel(self) -> None:
        """Wait for the own server's answer to something sent behind all the rest; answer what came before it."""
        self.session.sentinel()
        for request in [e for e in self.session.inbox if is_info_request(e)]:
            self.session.inbox.remove(request)
            self.capabilities.answer(self.session, request)
