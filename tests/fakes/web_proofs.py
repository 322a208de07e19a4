"""Proofs of the misbehaviours within HTTP: the check that names one is what shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Stage
from lab.plugin.judge import Missed
from scenarios.server import xep0156
from scenarios.server.rfc7395 import closing, framing, handshake, streams
from scenarios.server.xep0124 import creation, exchange, lifetime
from scenarios.server.xep0363 import transfer
from tests.fakes.proofs import Proof, proves


def shown_by(check: Callable[[Connect], None]) -> Proof:
    """A proof: the check misses what it asks for."""

    def proof(connect: Connect) -> None:
        with pytest.raises((Missed, PeerError)):
            check(connect)

    return proof


SHOWN: dict[str, Callable[[Connect], None]] = {
    "no-subprotocol": lambda c: handshake.test_xmpp_is_agreed_on(["xmpp"], c),
    "always-says-xmpp": lambda c: handshake.test_nothing_but_xmpp_is_agreed_on([], c),
    "speaks-first": handshake.test_server_waits_for_the_first_message,
    "binary-messages": handshake.test_messages_are_text,
    "reads-any-encoding": handshake.test_message_that_is_not_utf8_ends_the_connection,
    "hangs-on-binary-messages": handshake.test_binary_message_does_not_hang_the_server,
    "no-pong": lambda c: handshake.test_ping_frame_is_answered(Stage.CONNECTED, c),
    "two-in-a-message": framing.test_every_element_has_its_own_message,
    "white-space-first": framing.test_every_message_begins_with_its_element,
    "xml-declarations": framing.test_messages_have_no_xml_declaration,
    "undeclared-prefix": framing.test_stream_error_declares_its_namespaces,
    "serves-before-open": streams.test_stanza_before_open_is_not_served,
    "no-close-frame": closing.test_closing_handshake_is_completed,
    "bosh-other-content-type": creation.test_responses_are_xml_of_utf8,
    "bosh-ignores-content": lambda c: creation.test_content_type_is_what_was_asked_for("text/html", c),
    "bosh-chunked": exchange.test_responses_are_not_chunked,
    "bosh-holds-for-ever": exchange.test_request_is_not_held_for_longer_than_agreed,
    "bosh-never-holds": exchange.test_request_is_held_as_long_as_agreed,
    "bosh-answers-the-last-first": exchange.test_responses_come_in_order,
    "bosh-never-forgets": lifetime.test_inactive_session_is_gone,
    "bosh-takes-plain-requests": lifetime.test_secure_session_takes_no_plain_request,
    "bosh-plain-requests-terminate": lifetime.test_plain_request_does_not_end_a_secure_session,
    "host-meta-is-not-xrd": xep0156.test_methods_are_told_as_xrd,
    "host-meta-without-links": lambda c: xep0156.test_each_method_is_told("bosh", c),
    "host-meta-insecure-links": xep0156.test_addresses_are_secure,
    "host-meta-wrong-links": lambda c: xep0156.test_address_leads_to_the_method("websocket", c),
    "no-json-host-meta": xep0156.test_methods_are_told_as_json,
    "host-meta-other-type": lambda c: xep0156.test_media_type(xep0156.XML_PATH, "application/xrd+xml", c),
    "host-meta-without-cors": lambda c: xep0156.test_other_origins_may_read_it(xep0156.XML_PATH, c),
    "upload-takes-any-size": lambda c: transfer.test_file_of_another_size_is_rejected(transfer.WRONG["less"], c),
    "upload-takes-any-type": transfer.test_file_of_another_type_is_rejected,
    "upload-takes-any-address": transfer.test_address_without_a_slot,
    "upload-takes-any-headers": transfer.test_headers_of_another_slot_do_not_fit,
    "upload-takes-more": transfer.test_slot_is_used_twice,
    "upload-spoils-files": lambda c: transfer.test_file_comes_back("text", c),
    "upload-serves-empty-files": transfer.test_file_is_not_there_before,
    "upload-serves-once": transfer.test_file_is_had_by_anybody,
    "upload-without-cors": transfer.test_preflight_is_allowed,
}

for name, check in SHOWN.items():
    proves(name)(shown_by(check))
