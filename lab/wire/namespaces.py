"""XML namespaces, once each, and the prefixes that checks use in paths (`iq.find("disco:query", NS)`)."""

from __future__ import annotations

CLIENT = "jabber:client"
SERVER = "jabber:server"
COMPONENT = "jabber:component:accept"
STREAM = "http://etherx.jabber.org/streams"
STREAM_ERROR = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERROR = "urn:ietf:params:xml:ns:xmpp-stanzas"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
DIALBACK = "jabber:server:dialback"
DIALBACK_FEATURE = "urn:xmpp:features:dialback"
BIDI = "urn:xmpp:bidi"
BIDI_FEATURE = "urn:xmpp:features:bidi"
SASL2 = "urn:xmpp:sasl:2"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
BIND2 = "urn:xmpp:bind:0"
FAST = "urn:xmpp:fast:0"
ISR = "https://xmpp.org/extensions/isr/0"
SESSION = "urn:ietf:params:xml:ns:xmpp-session"
ROSTER = "jabber:iq:roster"
REGISTER = "jabber:iq:register"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
CAPS = "http://jabber.org/protocol/caps"
PING = "urn:xmpp:ping"
VERSION = "jabber:iq:version"
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"
PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner"
DATA_FORM = "jabber:x:data"
COMMANDS = "http://jabber.org/protocol/commands"
DELAY = "urn:xmpp:delay"
CHANNEL_BINDING = "urn:xmpp:sasl-cb:0"
CARBONS = "urn:xmpp:carbons:2"
FORWARD = "urn:xmpp:forward:0"
RECEIPTS = "urn:xmpp:receipts"
CORRECTION = "urn:xmpp:message-correct:0"
CHAT_STATES = "http://jabber.org/protocol/chatstates"
ARCHIVE = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
HINTS = "urn:xmpp:hints"
MARKERS = "urn:xmpp:chat-markers:0"
BLOCKING = "urn:xmpp:blocking"
STREAM_MANAGEMENT = "urn:xmpp:sm:3"
CSI = "urn:xmpp:csi:0"
BLOCKING = "urn:xmpp:blocking"
BLOCKING_ERRORS = "urn:xmpp:blocking:errors"
PRIVACY = "jabber:iq:privacy"
PUSH = "urn:xmpp:push:0"
PUSH_SUMMARY = "urn:xmpp:push:summary"
MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
MUC_ADMIN = "http://jabber.org/protocol/muc#admin"
MUC_OWNER = "http://jabber.org/protocol/muc#owner"
CONFERENCE = "jabber:x:conference"
MIX = "urn:xmpp:mix:core:1"
MIX_PAM = "urn:xmpp:mix:pam:2"
MIX_ROSTER = "urn:xmpp:mix:roster:0"
NICK = "http://jabber.org/protocol/nick"
STANZA_ID = "urn:xmpp:sid:0"
OCCUPANT_ID = "urn:xmpp:occupant-id:0"
RETRACT = "urn:xmpp:message-retract:1"
MODERATE = "urn:xmpp:message-moderate:1"
FALLBACK = "urn:xmpp:fallback:0"
CAPS_2 = "urn:xmpp:caps"
HASHES = "urn:xmpp:hashes:2"
CHANNEL_SEARCH = "urn:xmpp:channel-search:0:search"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
HTTPBIND = "http://jabber.org/protocol/httpbind"
XBOSH = "urn:xmpp:xbosh"
VCARD = "vcard-temp"
VCARD_UPDATE = "vcard-temp:x:update"
AVATAR_DATA = "urn:xmpp:avatar:data"
AVATAR_METADATA = "urn:xmpp:avatar:metadata"
PRIVATE = "jabber:iq:private"
BOOKMARKS = "storage:bookmarks"
NATIVE_BOOKMARKS = "urn:xmpp:bookmarks:1"
UPLOAD = "urn:xmpp:http:upload:0"
UPLOAD_PURPOSE = "urn:xmpp:http:upload:purpose:0"
STREAM_LIMITS = "urn:xmpp:stream-limits:0"
EXTERNAL_SERVICES = "urn:xmpp:extdisco:2"
XRD = "http://docs.oasis-open.org/ns/xri/xrd-1.0"
LAB = "urn:stanzalab:0"
"""Ours: payloads that no specification defines, and the sentinel."""

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

NS: dict[str, str] = {
    "c": CLIENT,
    "s": SERVER,
    "comp": COMPONENT,
    "stream": STREAM,
    "streams": STREAM_ERROR,
    "stanzas": STANZA_ERROR,
    "tls": TLS,
    "sasl": SASL,
    "db": DIALBACK,
    "dialback": DIALBACK_FEATURE,
    "bidi": BIDI_FEATURE,
    "sasl2": SASL2,
    "bind": BIND,
    "bind2": BIND2,
    "fast": FAST,
    "isr": ISR,
    "session": SESSION,
    "roster": ROSTER,
    "register": REGISTER,
    "disco": DISCO_INFO,
    "items": DISCO_ITEMS,
    "caps": CAPS,
    "ping": PING,
    "pubsub": PUBSUB,
    "event": PUBSUB_EVENT,
    "pubsub-errors": PUBSUB_ERRORS,
    "pubsub-owner": PUBSUB_OWNER,
    "x": DATA_FORM,
    "cmd": COMMANDS,
    "delay": DELAY,
    "sasl-cb": CHANNEL_BINDING,
    "carbons": CARBONS,
    "forward": FORWARD,
    "receipts": RECEIPTS,
    "correct": CORRECTION,
    "chatstates": CHAT_STATES,
    "mam": ARCHIVE,
    "rsm": RSM,
    "hints": HINTS,
    "sm": STREAM_MANAGEMENT,
    "csi": CSI,
    "blocking": BLOCKING,
    "privacy": PRIVACY,
    "push": PUSH,
    "muc": MUC,
    "muc-user": MUC_USER,
    "muc-admin": MUC_ADMIN,
    "muc-owner": MUC_OWNER,
    "conference": CONFERENCE,
    "mix": MIX,
    "mix-pam": MIX_PAM,
    "mix-roster": MIX_ROSTER,
    "nick": NICK,
    "sid": STANZA_ID,
    "occupant": OCCUPANT_ID,
    "retract": RETRACT,
    "moderate": MODERATE,
    "caps2": CAPS_2,
    "hashes": HASHES,
    "search": CHANNEL_SEARCH,
    "framing": FRAMING,
    "bosh": HTTPBIND,
    "xbosh": XBOSH,
    "vcard": VCARD,
    "vcard-update": VCARD_UPDATE,
    "avatar-data": AVATAR_DATA,
    "avatar-metadata": AVATAR_METADATA,
    "private": PRIVATE,
    "bookmarks": BOOKMARKS,
    "native-bookmarks": NATIVE_BOOKMARKS,
    "upload": UPLOAD,
    "extdisco": EXTERNAL_SERVICES,
    "xrd": XRD,
    "lab": LAB,
}
