"""More than one device, and being offline: carbons (XEP-0280), the archive (XEP-0313)."""

from __future__ import annotations

from lab.plugin.clients import Arrivals, ElementMatches, has
from lab.plugin.judge import require, require_equal
from lab.plugin.pairs import Pair, Side, blamed, side
from lab.plugin.requirement import Specification
from lab.wire.namespaces import NS
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.pair._friends import befriend
from scenarios.pair._texts import body_is, shown

CARBONS = Specification("XEP-0280")
ARCHIVE = Specification("XEP-0313")


def _second_device(pair: Pair, arrive: Arrivals) -> Side:
    """Another instance of the second client, on the same account, with carbons."""
    with blamed(pair.other.client.name):
        which = 0 if arrive.name(0) == pair.other.client.name else 1
        device = side(arrive, which, account=pair.other.client.account)
        device.does("enable-carbons")
        enable = device.sends(has("carbons:enable"), "a request for carbons").get("id")
    device.gets(lambda e: e.get("id") == enable and e.get("type") == "result", "the server's consent")
    return device


def _copy_of(kind: str, text: str) -> ElementMatches:
    def matches(element: Element) -> bool:
        return element.findtext(f"carbons:{kind}/forward:forwarded/c:message/c:body", namespaces=NS) == text

    return matches


@CARBONS.must(
    "7", "8", says="Each device of a user that asked for carbons gets a copy of what another one gets or sends."
)
def test_second_device_shows_what_the_first_gets_and_sends(pair: Pair, arrive: Arrivals) -> None:
    device = _second_device(pair, arrive)
    got, sent = f"to your first device {new_id()}", f"from my first device {new_id()}"
    pair.one.does("send-message", to=pair.other.jid, body=got)
    pair.one.sends(body_is(got), "the message")
    pair.other.shows("message", shown(got), "the message on the device that it is for")
    device.gets(_copy_of("received", got), "a copy of the message that was received")
    copied = device.shows("message", shown(got), "the copy")
    with blamed(device.client.name):
        require_equal(copied["from"].partition("/")[0], pair.one.bare_jid, "the sender of what was copied")
    pair.other.does("send-message", to=pair.one.jid, body=sent)
    pair.other.sends(body_is(sent), "the answer")
    device.gets(_copy_of("sent", sent), "a copy of the message that was sent")
    own = device.shows("message", shown(sent), "the copy of what was sent")
    with blamed(device.client.name):
        require(
            own.get("carbon") == "sent" or own["from"].startswith(device.bare_jid), "shown as one's own", str(own)
        )


@ARCHIVE.should(
    "6.1.1", "4.2", says="A message that came while a user was offline is in the user's archive afterwards."
)
def test_archive_has_what_was_missed(pair: Pair) -> None:
    befriend(pair)
    before, missed = f"before you go {new_id()}", f"while you are away {new_id()}"
    pair.one.does("send-message", to=pair.other.bare_jid, body=before)
    pair.other.shows("message", shown(before), "the first message")
    pair.other.does("disconnect")
    pair.one.gets(
        lambda e: localname(e) == "presence" and e.get("type") == "unavailable", "that the contact has gone offline"
    )
    pair.one.does("send-message", to=pair.other.bare_jid, body=missed)
    pair.one.sends(body_is(missed), "the message to somebody who is away")
    pair.one.client.sentinel()
    pair.other.comes_online()
    found = pair.other.does("archive", **{"with": pair.one.bare_jid, "max": 10})
    with blamed(pair.other.client.name):
        bodies = [message["body"] for message in found["messages"]]
        reached = pair.other.client.tap.reached(has("mam:result"))
    with blamed(pair.server):
        inside = [e.findtext("mam:result/forward:forwarded/c:message/c:body", namespaces=NS) for e in reached]
        require({before, missed} <= set(inside), "both messages in the archive", str(inside))
    with blamed(pair.other.client.name):
        require([b for b in bodies if b in {before, missed}] == [before, missed], "both shown, in order", str(bodies))
