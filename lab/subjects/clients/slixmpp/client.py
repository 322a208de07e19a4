"""slixmpp as its documentation has it used: its plugins switched on, its events told, its methods called."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slixmpp import JID, ClientXMPP
from slixmpp.exceptions import PresenceError, XMPPError
from slixmpp.plugins.xep_0082 import format_datetime
from slixmpp.stanza import Iq, Message, Presence
from told import Failed, tell

PLUGINS = (
    *("xep_0030", "xep_0045", "xep_0059", "xep_0060", "xep_0085", "xep_0092", "xep_0115", "xep_0163", "xep_0172"),
    *("xep_0184", "xep_0198", "xep_0199", "xep_0202", "xep_0203", "xep_0280", "xep_0308", "xep_0313"),
)
TYPES = {"chat", "normal", "groupchat", "headline"}
SUBSCRIPTIONS = {"none", "to", "from", "both", "remove"}
ROOM_IS_NEW = 201  # XEP-0045 §10.1.1
ARCHIVED = 20  # messages, where the lab says no number
LEARNING = 2.0  # seconds for the answer about capabilities to come
CLOSING = 1.0  # seconds for the server to close its stream, at the end


class Words(logging.Handler):
    """Keeps the last error that slixmpp logged: for some failures, its only word on them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


class Client:
    """One account's client.

    Each command of the contract is a coroutine, with its arguments by name (those that Python has taken, with a `_`).
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        jid, resource = environment["XMPP_JID"], environment.get("XMPP_RESOURCE")
        self.address = environment["XMPP_HOST"], int(environment["XMPP_PORT"])
        self.online = False
        self._leaving = False
        self._connecting: asyncio.Future[None] | None = None
        self._reason = ""  # why a connection that is about to end does so
        self._sent: dict[str, tuple[str, str]] = {}  # to -> the last message's id and type
        self._words = Words()
        logging.getLogger("slixmpp").addHandler(self._words)
        self.xmpp = ClientXMPP(
            f"{jid}/{resource}" if resource else jid,
            environment["XMPP_PASSWORD"],
            ssl_context=ssl.create_default_context(cafile=environment["XMPP_CA"]),
        )
        self.xmpp.enable_direct_tls = environment["XMPP_TLS"] == "direct"
        self.xmpp.enable_starttls = environment["XMPP_TLS"] == "starttls"
        self.xmpp.auto_authorize = None  # who asks to see the user's presence is for the user to say
        self.xmpp.auto_subscribe = False
        for plugin in PLUGINS:
            self.xmpp.register_plugin(plugin)
        for event, handler in {
            "session_start": self._session_start,
            "session_resumed": self._session_resumed,
            "connection_failed": self._connection_failed,
            "ssl_invalid_chain": self._ssl_invalid_chain,
            "failed_auth": self._failed_auth,
            "stream_error": self._stream_error,
            "disconnected": self._disconnected,
            "message": self._message,
            "carbon_received": lambda message: self._carbon(message, "received"),
            "carbon_sent": lambda message: self._carbon(message, "sent"),
            "receipt_received": self._receipt,
            "chatstate": self._chat_state,
            "changed_status": self._presence,
            "groupchat_presence": self._occupant,
            "presence_subscribe": lambda presence: tell("subscription-request", **_from(presence)),
            "roster_update": self._roster_update,
            "user_nick_publish": self._nick,
        }.items():
            self.xmpp.add_event_handler(event, handler)

    # --- the connection

    async def connect(self) -> dict[str, Any]:
        if self.online:
            raise Failed("connected already")
        self._reason = self._words.last = ""
        self._leaving = False
        self._connecting = asyncio.get_running_loop().create_future()
        self.xmpp.connect(*self.address)
        try:
            await self._connecting
        except asyncio.CancelledError:
            self._connecting = None
            self.xmpp.cancel_connection_attempt()
            self.xmpp.abort()
            raise
        self._connecting = None
        return {"jid": self.xmpp.boundjid.full}

    async def _session_start(self, _: object) -> None:
        try:
            await self.xmpp.get_roster()
        except XMPPError as error:  # the session is there, with or without a roster
            tell("log", text=f"no roster: {error.format()}")
        self.xmpp.send_presence()
        with contextlib.suppress(XMPPError):
            # The server works off one's stanzas in order: with an answer, whichever, it knows of the presence.
            await self.xmpp["xep_0199"].send_ping(self.xmpp.boundjid.domain)
        self._session_resumed(None)

    def _session_resumed(self, _: object) -> None:
        self.online = True
        tell("online", jid=self.xmpp.boundjid.full)
        if self._connecting and not self._connecting.done():
            self._connecting.set_result(None)

    def _connection_failed(self, reason: object) -> None:
        # It would try again and again; that is for the lab to say.
        self.xmpp.cancel_connection_attempt()
        self._failed(str(reason) or repr(reason))

    def _ssl_invalid_chain(self, error: ssl.SSLError) -> None:
        self._reason = str(error)
        self.xmpp.disconnect()  # as it would, if nobody handled this event

    def _failed_auth(self, failure: Any) -> None:
        self._reason = ": ".join(filter(None, (failure["condition"], failure["text"])))

    def _stream_error(self, error: Any) -> None:
        self._reason = ": ".join(filter(None, ("stream error", error["condition"], error["text"])))

    def _disconnected(self, reason: object) -> None:
        why = self._reason or self._words.last or (str(reason) if reason else "")
        self._failed(why or "disconnected")
        if self.online and not self._leaving:
            tell("offline", reason=why or None)
        self.online = False

    def _failed(self, reason: str) -> None:
        if self._connecting and not self._connecting.done():
            self._connecting.set_exception(Failed(reason))

    async def disconnect(self) -> None:
        self._leaving = True
        await self.xmpp.disconnect()

    async def end(self) -> None:
        """Log out, if need be; the end of the agent waits for nobody."""
        self._leaving = True
        self.xmpp.cancel_connection_attempt()
        if self.xmpp.is_connected():
            await self.xmpp.disconnect(wait=CLOSING)

    # --- messages

    async def send_message(self, to: str, body: str, type_: str = "chat", receipt: bool = False) -> dict[str, Any]:
        message = self.xmpp.make_message(mto=to, mbody=body, mtype=type_)
        if receipt:
            message["request_receipt"] = True
        message.send()
        self._sent[to] = message["id"], type_
        return {"sent": message["id"]}

    async def correct_message(self, to: str, body: str, sent: str = "", type_: str = "") -> dict[str, Any]:
        last, its_type = self._sent.get(to, ("", "chat"))
        if not (sent or last):
            raise Failed("nothing was sent there")
        correction = self.xmpp["xep_0308"].build_correction(
            id_to_replace=sent or last, mto=JID(to), mtype=type_ or its_type, mbody=body
        )
        correction.send()
        return {"sent": correction["id"]}

    async def send_chat_state(self, to: str, state: str) -> None:
        message = self.xmpp.make_message(mto=to, mtype="chat")
        message["chat_state"] = state
        message.send()

    def _message(self, message: Message) -> None:
        if message["type"] != "error":
            tell("message", **self._shown(message))

    def _carbon(self, message: Message, which: str) -> None:
        copied = message[f"carbon_{which}"]
        if copied["body"]:
            tell("message", **self._shown(copied), carbon=which)

    def _shown(self, message: Message) -> dict[str, Any]:
        shown = {**_from(message), "body": message["body"]}
        if message["type"] in TYPES:
            shown["type"] = message["type"]
        if message["to"].bare:
            shown["to"] = str(message["to"])
        if message["id"]:
            shown["id"] = message["id"]
        if message.get_plugin("delay", check=True) and message["delay"]["stamp"]:
            shown["stamp"] = _stamp(message["delay"]["stamp"])
        if self.xmpp["xep_0308"].is_correction(message):
            # It says that a message is a correction; which one's place it takes, if any's, is its user's to judge.
            shown["corrects"] = ""
        return shown

    def _receipt(self, message: Message) -> None:
        tell("receipt", **_from(message), sent=message["receipt"] or None)

    def _chat_state(self, message: Message) -> None:
        if message["type"] != "error":
            tell("chat-state", **_from(message), state=message["chat_state"])

    async def enable_carbons(self) -> None:
        await self.xmpp["xep_0280"].enable()

    async def archive(self, with_: str | None = None, max_: int = ARCHIVED) -> dict[str, Any]:
        found = self.xmpp["xep_0313"].iterate(
            with_jid=JID(with_) if with_ else None, reverse=True, rsm={"max": max_}, total=max_
        )
        messages = [_archived(message) async for message in found]
        return {"messages": [message for message in reversed(messages) if message["body"]]}

    # --- presence and roster

    async def send_presence(
        self, show: str | None = None, status: str | None = None, priority: int | None = None, to: str | None = None
    ) -> None:
        self.xmpp.send_presence(pshow=show, pstatus=status, ppriority=priority, pto=to)

    async def subscribe(self, jid: str) -> None:
        self.xmpp.client_roster.subscribe(jid)

    async def accept(self, jid: str) -> None:
        self.xmpp.client_roster[jid].authorize()

    async def refuse(self, jid: str) -> None:
        self.xmpp.client_roster[jid].unauthorize()

    async def unsubscribe(self, jid: str) -> None:
        self.xmpp.client_roster.unsubscribe(jid)

    async def remove_contact(self, jid: str) -> None:
        await self.xmpp.del_roster_item(jid)

    async def roster(self) -> dict[str, Any]:
        # slixmpp keeps whoever sent presence in there too: all that is left out is oneself, and rooms.
        others = {self.xmpp.boundjid.bare, *map(str, self.xmpp["xep_0045"].get_joined_rooms())}
        roster = self.xmpp.client_roster
        return {"contacts": [_contact(str(jid), roster[jid]) for jid in roster if str(jid) not in others]}

    def _roster_update(self, iq: Iq) -> None:
        for jid, item in iq["roster"]["items"].items():
            tell("contact", **_contact(str(jid), item))

    def _presence(self, presence: Presence) -> None:
        # An occupant's first presence comes here too, all others only as an occupant's.
        if presence["from"] != self.xmpp.boundjid and not presence.get_plugin("muc", check=True):
            self._shown_presence(presence)

    def _occupant(self, presence: Presence) -> None:
        if presence["type"] != "error":
            self._shown_presence(presence)

    def _shown_presence(self, presence: Presence) -> None:
        gone = presence["type"] == "unavailable"
        told = {"show": presence["show"] or None, "status": presence["status"] or None}
        tell("presence", **_from(presence), available=not gone, **told)

    # --- other entities

    async def discover(self, jid: str, node: str | None = None) -> dict[str, Any]:
        info = (await self.xmpp["xep_0030"].get_info(jid=jid, node=node, cached=False))["disco_info"]
        identities = [
            {"category": category, "type": type_, **({"name": name} if name else {})}
            for category, type_, _, name in sorted(info["identities"], key=str)
        ]
        return {"features": sorted(info["features"]), "identities": identities}

    async def features_of(self, jid: str) -> dict[str, Any]:
        full = self._available(JID(jid))
        until = asyncio.get_running_loop().time() + LEARNING
        # slixmpp asks for what a presence announces by itself, and tells nobody when it has learnt it.
        while (caps := await self.xmpp["xep_0115"].get_caps(full)) is None:
            if asyncio.get_running_loop().time() > until:
                raise Failed("nothing is known of its capabilities")
            await asyncio.sleep(LEARNING / 20)
        return {"features": sorted(caps["features"])}

    def _available(self, jid: JID) -> JID:
        """A resource of it that is available: the one named, or the one of highest priority."""
        if jid.resource:
            return jid
        resources = self.xmpp.client_roster.presence(jid)
        if not resources:
            raise Failed("it is not available")
        best = max(resources, key=lambda name: resources[name]["priority"])
        return JID(f"{jid.bare}/{best}")

    async def ping(self, jid: str) -> None:
        await self.xmpp["xep_0199"].send_ping(JID(jid))

    async def publish_nick(self, nick: str) -> None:
        await self.xmpp["xep_0172"].publish_nick(nick)

    def _nick(self, message: Message) -> None:
        nick = message["pubsub_event"]["items"]["item"]["nick"]["nick"]
        tell("nick", **_from(message), nick=nick or "")

    # --- rooms

    async def join(self, room: str, nick: str) -> None:
        rooms = self.xmpp["xep_0045"]
        refused = asyncio.get_running_loop().create_future()

        def refuse(presence: Presence) -> None:
            if presence["from"].bare == JID(room).bare and not refused.done():
                refused.set_exception(PresenceError(presence))

        # By itself it sees only those refusals that repeat what they refuse.
        with self.xmpp.event_handler("presence_error", refuse):
            joining = asyncio.create_task(rooms.join_muc_wait(JID(room), nick, timeout=None))
            try:
                await asyncio.wait((joining, refused), return_when=asyncio.FIRST_COMPLETED)
                own, *_ = joining.result() if joining.done() else await refused
            finally:
                joining.cancel()
                refused.cancel()
        if ROOM_IS_NEW in own["muc"]["status_codes"]:
            # Nobody else may enter before its maker says how it is to be: as it is.
            await rooms.set_room_config(JID(room), self.xmpp["xep_0004"].make_form(ftype="submit"))

    async def leave(self, room: str) -> None:
        rooms = self.xmpp["xep_0045"]
        own = JID(rooms.get_our_jid_in_room(JID(room)))
        rooms.leave_muc(JID(room), own.resource)


def _from(stanza: Message | Presence) -> dict[str, str]:
    return {"from": str(stanza["from"])}


def _contact(jid: str, item: Any) -> dict[str, str]:
    contact = {"jid": jid}
    if item["name"]:
        contact["name"] = item["name"]
    if (subscription := item["subscription"] or "none") in SUBSCRIPTIONS:
        contact["subscription"] = subscription
    return contact


def _archived(result: Message) -> dict[str, Any]:
    forwarded = result["mam_result"]["forwarded"]
    message, stamp = forwarded["stanza"], forwarded["delay"]["stamp"]
    facts = {"id": message["id"], "stamp": _stamp(stamp) if stamp else ""}
    told = {name: fact for name, fact in facts.items() if fact}
    return {"from": str(message["from"]), "body": message["body"], **told}


def _stamp(stamp: datetime | str) -> str:
    return stamp if isinstance(stamp, str) else format_datetime(stamp)
