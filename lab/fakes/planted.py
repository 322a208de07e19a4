"""Six faults with narrow triggers, each shown by one kind of stanza only: a fuzz campaign must find them.

Each stands alone, and `planted-faults` has all of them at once; so each leaves to the next what is not its own.
"""

from __future__ import annotations

import re

from lab.fakes.behaviour import Behaviour
from lab.fakes.client_connection import ClientConnection
from lab.fakes.connection import Connection
from lab.fakes.stanzas import Jid, localname, serialise
from lab.wire.namespaces import CLIENT, DISCO_INFO, DISCO_ITEMS, PING, VERSION
from lab.wire.stream import Element

COMMENT = "urn:stanzalab:fakes:comment"
_COMMENT = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--((?:(?!--).)*)-->", re.DOTALL)
_STAND_IN = re.compile(rb'<comment xmlns="' + COMMENT.encode() + rb'">x([0-9a-f]*)</comment>')


class SwallowsItemsOfANode(Behaviour):
    """Does not answer who asks the server for the items of a node."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        query = _request(stanza, f"{{{DISCO_ITEMS}}}query")
        if query is None or query.get("node") is None or not _is_for_server(connection, stanza):
            super().on_stanza(connection, stanza)


class AnswersVersionTwice(Behaviour):
    """Answers twice who asks the server for its version."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        super().on_stanza(connection, stanza)
        if _request(stanza, f"{{{VERSION}}}query") is not None and _is_for_server(connection, stanza):
            super().on_stanza(connection, stanza)


class WrongIdToOwnPing(Behaviour):
    """Answers who pings the own account with another id than the ping had."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        if _request(stanza, f"{{{PING}}}ping") is not None and _is_for_account(connection, stanza):
            stanza.set("id", f"wrong-{stanza.get('id')}")
        super().on_stanza(connection, stanza)


class PassesOnComments(Behaviour):
    """Takes a comment within a message (no error) for a part of it, and hands it on."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        # The stream's own reader refuses comments, as it must: an element stands in for each until it is sent.
        if isinstance(connection, ClientConnection) and connection.jid is not None:
            data = _COMMENT.sub(_stand_in, data)
        super().on_data(connection, data)

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        passed_on = localname(stanza) == "message" and stanza.get("type") != "error"
        if not passed_on and next(stanza.iter(f"{{{COMMENT}}}comment"), None) is not None:
            connection.fail("restricted-xml")
        else:
            super().on_stanza(connection, stanza)

    def send(self, connection: Connection, data: bytes) -> None:
        super().send(connection, _STAND_IN.sub(_comment, data))


class LeaksHeadlines(Behaviour):
    """Sends a headline that has a subject to every client that is there, besides whom it is for."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        super().on_stanza(connection, stanza)
        if connection.ended or localname(stanza) != "message" or stanza.get("type") != "headline":
            return
        if stanza.find(f"{{{CLIENT}}}subject") is not None:
            to = Jid.parse(stanza.get("to") or "")
            leaked = serialise(stanza, CLIENT)
            for client in connection.server.router.bound.values():
                if client is not connection and client.jid is not None and (to is None or client.jid.bare != to.bare):
                    client.send(leaked)


class HangsOnAccentedNode(Behaviour):
    """Hangs, the connection open, when the server is asked about a node with a letter outside ASCII."""

    def on_stanza(self, connection: ClientConnection, stanza: Element) -> None:
        query = _request(stanza, f"{{{DISCO_INFO}}}query")
        node = "" if query is None else query.get("node", "")
        if _is_for_server(connection, stanza) and any(c.isalpha() and not c.isascii() for c in node):
            connection.ended = True
        else:
            super().on_stanza(connection, stanza)


class PlantedFaults(
    PassesOnComments,
    SwallowsItemsOfANode,
    AnswersVersionTwice,
    WrongIdToOwnPing,
    LeaksHeadlines,
    HangsOnAccentedNode,
):
    """Has six faults, each of which one kind of stanza shows."""


def _request(stanza: Element, payload: str) -> Element | None:
    """The payload of that name of an iq of type get."""
    if localname(stanza) != "iq" or stanza.get("type") != "get" or len(stanza) != 1 or not stanza.get("id"):
        return None
    return stanza.find(payload)


def _is_for_server(connection: ClientConnection, stanza: Element) -> bool:
    return stanza.get("to") == connection.server.domain


def _is_for_account(connection: ClientConnection, stanza: Element) -> bool:
    return connection.jid is not None and stanza.get("to") in {None, connection.jid.bare}


def _stand_in(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return found[0]  # a CDATA section, in which nothing is a comment
    return f'<comment xmlns="{COMMENT}">x{found[1].hex()}</comment>'.encode()  # the x: never an empty element


def _comment(found: re.Match[bytes]) -> bytes:
    return b"<!--%s-->" % bytes.fromhex(found[1].decode())
