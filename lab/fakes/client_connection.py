"""A client's connection to the fake server, in the order of RFC 6120: STARTTLS, SASL, bind, stanzas."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from lab.fakes import authentication, capabilities, services
from lab.fakes.authentication import Refused, Success
from lab.fakes.connection import Connection
from lab.fakes.stanzas import Jid, error_reply, localname, namespace, reply
from lab.wire.namespaces import BIND, CHANNEL_BINDING, CLIENT, REGISTER, SASL, SESSION, STREAM, TLS
from lab.wire.session import parse
from lab.wire.stream import Element, StreamOpened

if TYPE_CHECKING:
    from lab.fakes.server import FakeServer

ATTEMPTS = 3  # RFC 6120 §6.4.5: 2 to 5
SUBSCRIPTIONS = {"subscribe", "subscribed", "unsubscribe", "unsubscribed"}
PRESENCE = {None, "unavailable", "probe", "error", *SUBSCRIPTIONS}  # RFC 6121 §4.7.1


class ClientConnection(Connection):
    """`localpart` is set once authenticated, `jid` once bound, `priority` while available."""

    namespace = CLIENT

    def __init__(self, server: FakeServer, *, tls: bool = False) -> None:
        super().__init__(server, tls=tls)
        self.localpart = ""
        self.jid: Jid | None = None
        self.priority: int | None = None
        self._exchange: authentication.Exchange | None = None
        self._failures = 0
        self._directed: set[str] = set()  # whom directed presence went to

    # --- headers and features

    def refuses(self, header: StreamOpened) -> str:
        if header.content_namespace != CLIENT:
            return "invalid-namespace"
        if (header.get("to") or "").lower() != self.server.domain:
            return "host-unknown"
        if not (header.get("version") or "").startswith("1."):
            return "unsupported-version"
        return ""

    def offer(self) -> None:
        self.send(f"<stream:features>{self._features()}</stream:features>")

    def _features(self) -> str:
        if self.localpart:
            session = f"<session xmlns='{SESSION}'><optional/></session>"
            return f"<bind xmlns='{BIND}'/>{session}{capabilities.stream_feature()}"
        starttls = f"<starttls xmlns='{TLS}'><required/></starttls>"
        if not self.tls:
            return starttls + (self._sasl_features() if self.behaviour.offers_sasl_in_plain else "")
        return (starttls if self.behaviour.offers_starttls_over_tls else "") + self._sasl_features() + _REGISTRATION

    def _sasl_features(self) -> str:
        tls = self.tls_object()
        offered = [m for m in authentication.MECHANISMS if tls or not m.endswith("-PLUS")]
        mechanisms = "".join(f"<mechanism>{m}</mechanism>" for m in offered)
        bindings = authentication.bindings(tls, self.server.certificate_der) if tls else {}
        announced = "".join(f"<channel-binding type='{name}'/>" for name in bindings)
        binding = f"<sasl-channel-binding xmlns='{CHANNEL_BINDING}'>{announced}</sasl-channel-binding>"
        return f"<mechanisms xmlns='{SASL}'>{mechanisms}</mechanisms>{binding if bindings else ''}"

    # --- elements, by how far the stream has come

    def on_element(self, element: Element) -> None:
        if element.tag == f"{{{STREAM}}}error":
            self.behaviour.on_close(self)  # the peer has closed its stream, too (§4.9.1.1)
        elif self.jid is not None:
            self.behaviour.on_stanza(self, element)
        elif self.localpart:
            self._before_bind(element)
        elif namespace(element) == TLS and localname(element) == "starttls":
            self._start_tls()
        elif namespace(element) == SASL and localname(element) in {"auth", "response", "abort"}:
            self._sasl(element)
        elif self.tls and element.tag == f"{{{CLIENT}}}iq" and element.find(f"{{{REGISTER}}}query") is not None:
            self.send(services.register(self.server.router, element))
        else:
            self.fail("not-authorized")

    def _start_tls(self) -> None:
        if self.tls:
            self.send(f"<failure xmlns='{TLS}'/></stream:stream>")
            self.drop()
        else:
            self.behaviour.on_starttls(self)

    def proceed(self) -> None:
        """Tell the client to begin TLS, and shake hands."""
        self.send(f"<proceed xmlns='{TLS}'/>")
        self.start_tls(self.server.starttls_context)

    def _sasl(self, element: Element) -> None:
        try:
            answer = self._play(element)
        except Refused as refused:
            self._exchange = None
            self._failures += 1
            self.send(f"<failure xmlns='{SASL}'><{refused.condition}/></failure>")
            if self._failures > ATTEMPTS:
                self.fail("policy-violation", "too many failed attempts")
            return
        data = answer.data
        text = "" if data is None else b64encode(data).decode()
        if isinstance(answer, Success):
            self.send(f"<success xmlns='{SASL}'>{text}</success>")
            self.behaviour.on_restart(self)
            self.localpart = answer.localpart
        else:
            self.send(f"<challenge xmlns='{SASL}'>{text}</challenge>")

    def _play(self, element: Element) -> authentication.Challenge | Success:
        step = localname(element)
        if step == "abort":
            raise Refused("aborted")
        if not self.tls and not self.behaviour.takes_sasl_in_plain:
            raise Refused("encryption-required")
        if step == "auth":
            self._exchange = authentication.exchange(
                element.get("mechanism", ""),
                self.server.router.passwords.get,
                domain=self.server.domain,
                tls=self.tls_object(),
                certificate=self.server.certificate_der,
                checks=self.behaviour.checks_passwords,
            )
        if self._exchange is None:
            raise Refused("malformed-request")
        return self._exchange.respond(authentication.decode(element.text))

    def _before_bind(self, element: Element) -> None:
        request = element.find(f"{{{BIND}}}bind")
        if element.tag != f"{{{CLIENT}}}iq" or element.get("type") != "set" or request is None:
            self.fail("not-authorized")  # §7.1
            return
        wanted = request.findtext(f"{{{BIND}}}resource")
        jid = Jid.parse(f"{self.localpart}@{self.server.domain}/{wanted or self.behaviour.resource()}")
        if jid is None:
            self.send(error_reply(element, "bad-request"))
            return
        if str(jid) in self.server.router.bound:
            # §7.7.2.2: the newcomer gets another resource, and the one before keeps its own.
            jid = Jid(jid.localpart, jid.domain, self.behaviour.resource())
        self.server.router.bound[str(jid)] = self
        self.send(reply(element, "result", f"<bind xmlns='{BIND}'><jid>{escape(str(jid))}</jid></bind>"))
        self.jid = jid
        self.behaviour.on_bound(self)

    # --- stanzas

    def take_stanza(self, stanza: Element) -> None:
        """Check a stanza of a bound client, stamp it, and route it (§8.1, §10)."""
        router, jid = self.server.router, self.jid
        name = localname(stanza)
        if jid is None or namespace(stanza) != CLIENT or name not in {"message", "presence", "iq"}:
            self.fail("unsupported-stanza-type")
            return
        if stanza.get("from") not in {None, str(jid), jid.bare}:
            self.fail("invalid-from")
            return
        stanza.set("from", str(jid))
        if (name == "iq" and not _well_made(stanza)) or (name == "presence" and stanza.get("type") not in PRESENCE):
            router.refuse(stanza, "bad-request")
        elif name == "presence" and stanza.get("to") is None:
            self._own_presence(stanza)
        elif stanza.get("to") is not None:
            if name == "presence":
                self._directed_presence(stanza)
            router.route(stanza)
        elif name == "iq":
            router.answer(stanza)
        else:
            stanza.set("to", jid.bare)
            router.route(stanza)

    def _own_presence(self, stanza: Element) -> None:
        if stanza.get("type") == "unavailable":
            self.server.router.broadcast(stanza, self)
            self.priority = None
        elif stanza.get("type") is None:
            priority = (stanza.findtext(f"{{{CLIENT}}}priority") or "").strip()
            self.priority = int(priority) if re.fullmatch("[+-]?[0-9]{1,3}", priority) else 0
            self.server.router.broadcast(stanza, self)

    def _directed_presence(self, stanza: Element) -> None:
        kind, to = stanza.get("type"), str(stanza.get("to"))
        if kind is None:
            self._directed.add(to)
        elif kind == "unavailable":
            self._directed.discard(to)
        elif kind in SUBSCRIPTIONS and self.jid is not None:
            stanza.set("from", self.jid.bare)  # subscriptions are between accounts (RFC 6121 §3.1.2)

    def on_gone(self) -> None:
        """Tell whoever knows that this resource is available no more (RFC 6121 §4.5.3, §4.6.3)."""
        if self.jid is None:
            return
        self.server.router.bound.pop(str(self.jid), None)
        gone = parse(f"<presence type='unavailable' from={quoteattr(str(self.jid))}/>", default=CLIENT)
        if self.priority is not None:
            self.server.router.broadcast(gone, self)
        for to in self._directed:
            gone.set("to", to)
            self.server.router.route(gone)


_REGISTRATION = "<register xmlns='http://jabber.org/features/iq-register'/>"


def _well_made(iq: Element) -> bool:
    """An id, a type, and for requests just one payload (§8.2.3)."""
    kind = iq.get("type")
    return bool(iq.get("id")) and (kind in {"result", "error"} or (kind in {"get", "set"} and len(iq) == 1))
