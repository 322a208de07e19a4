"""XEP-0049 (private XML storage): what an account stores comes back to it, whole, and to nobody else."""

from __future__ import annotations

import pytest
from lxml import etree

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import BOOKMARKS, VCARD
from lab.wire.session import Session, parse, show, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._contacts import log_out
from scenarios.server._private import contents, fetch, store, with_private_storage
from scenarios.server._vcard import fetch as fetch_vcard

XEP = Specification("XEP-0049")

SPACE = "urn:stanzalab:private:preferences"
OTHER_SPACE = "urn:stanzalab:private:others"
MALFORMED = ("bad-format", "bad-request", "not-acceptable")
"""§2.3 asks for Not Acceptable and, of a get, for Bad Format; the latter is no stanza error's name today."""

KEPT: dict[str, str] = {
    "text": f"<lab xmlns='{SPACE}'>Hamlet</lab>",
    "white-space": f"<lab xmlns='{SPACE}'><line>  two  spaces </line></lab>",
    "escapes": f"<lab xmlns='{SPACE}' quote='&quot;&apos;'>&lt;&amp;&gt;</lab>",
    "beyond-ascii": f"<lab xmlns='{SPACE}' name='Ωμέγα'>日本語 \U0001f3ad</lab>",
    "attributes": f"<lab xmlns='{SPACE}' a='1' b='2' c=''><inner a='3'/></lab>",
    "nesting": f"<lab xmlns='{SPACE}'><a><b><c><d>deep</d></c></b></a></lab>",
    "siblings": f"<lab xmlns='{SPACE}'><one/><two>2</two><one>1</one></lab>",
    "other-namespaces": f"<lab xmlns='{SPACE}'><o xmlns='{OTHER_SPACE}'><p xmlns='{SPACE}'>in</p></o></lab>",
    "prefixed-attribute": f"<lab xmlns='{SPACE}'><in xmlns:o='{OTHER_SPACE}' o:kind='odd'/></lab>",
    "language": f"<lab xmlns='{SPACE}'><in xml:lang='de'>Weiler</in></lab>",
    # Within the 10000 bytes that a server has to take (RFC 6120 §13.12).
    "much": f"<lab xmlns='{SPACE}'>{'<entry>to be or not to be</entry>' * 250}</lab>",
}
ASKED = f"<lab xmlns='{SPACE}'/>"
SAMPLE = KEPT["siblings"]


def canonical(element: Element) -> str:
    """An element without what means nothing: prefixes, the order of attributes, how it is written."""
    written = etree.tostring(element, encoding="unicode", with_tail=False)
    return str(etree.canonicalize(written, rewrite_prefixes=True))


def _written(xml: str) -> str:
    return canonical(parse(xml))


def _holds(session: Session, xml: str) -> None:
    """The account's storage answers with just this."""
    reply = fetch(session, ASKED)
    require_result(reply)
    require_equal([canonical(e) for e in contents(reply)], [_written(xml)], "what is stored")


def _is_empty(element: Element) -> bool:
    return len(element) == 0 and not (element.text or "").strip()


# --- the own data


@XEP.must("2.3", says="What is stored comes back as it was.")
@pytest.mark.parametrize("kind", KEPT)
def test_data_comes_back(kind: str, connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    require_result(store(alice, KEPT[kind]))
    _holds(alice, KEPT[kind])


@XEP.must("2.3", says="A request without 'to', or to the own bare JID, is for the account's own data.")
@pytest.mark.parametrize("addressed", [False, True], ids=["without-to", "own-bare-jid"])
def test_own_data_are_stored(addressed: bool, connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    to = alice.bare_jid if addressed else None
    require_result(store(alice, SAMPLE, to=to))
    reply = fetch(alice, ASKED, to=to)
    require_result(reply)
    require(reply.get("from") in {alice.bare_jid, alice.jid, None}, f"an answer from {alice.bare_jid}", reply)
    require_equal([canonical(e) for e in contents(reply)], [_written(SAMPLE)], "what is stored")


@XEP.must("2.3", says="What is stored under an element takes the place of what was.")
def test_newer_data_replace_the_older(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    newer = f"<lab xmlns='{SPACE}'><three/></lab>"
    require_result(store(alice, SAMPLE))
    require_result(store(alice, newer))
    _holds(alice, newer)


@XEP.must("2.3", says="An empty element takes the place of what was, too.")
def test_empty_data_replace_the_older(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    require_result(store(alice, SAMPLE))
    require_result(store(alice, ASKED))
    reply = fetch(alice, ASKED)
    require(all(_is_empty(e) for e in contents(reply)), "nothing", reply)


@XEP.must("2.3", says="Each namespace has its own data: what is stored in one is not asked for by another.")
def test_namespaces_are_apart(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    other = f"<lab xmlns='{OTHER_SPACE}'>another</lab>"
    require_result(store(alice, SAMPLE))
    require_result(store(alice, other))
    _holds(alice, SAMPLE)
    reply = fetch(alice, f"<lab xmlns='{OTHER_SPACE}'/>")
    require_result(reply)
    require_equal([canonical(e) for e in contents(reply)], [_written(other)], "what is stored in the other namespace")


@XEP.must("2.3", says="Who asks for what was never stored is given nothing else.")
def test_nothing_is_stored_before(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    require_result(store(alice, SAMPLE))
    reply = fetch(alice, f"<lab xmlns='{OTHER_SPACE}'/>")
    if reply.get("type") == "error":
        require_error(reply, "item-not-found")
    require(all(_is_empty(e) for e in contents(reply)), "nothing", reply)


@XEP.may("2.3", says="Several elements of one namespace in a set are all stored, or the set is refused.")
def test_several_elements_are_not_lost(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    elements = [f"<{name} xmlns='{SPACE}'>{name}</{name}>" for name in ("one", "two")]
    reply = store(alice, "".join(elements))
    if reply.get("type") == "error":
        require_error(reply)
        return
    found = [canonical(e) for name in ("one", "two") for e in contents(fetch(alice, f"<{name} xmlns='{SPACE}'/>"))]
    if any(_written(xml) not in found for xml in elements):
        unsupported("several elements of one namespace at a time")


@XEP.must("4", says="Every resource of the user has the data.")
def test_other_resource_has_the_data(connect: Connect) -> None:
    account = connect.account()
    alice = with_private_storage(connect(account=account, label="alice"))
    require_result(store(alice, SAMPLE))
    _holds(connect(account=account, label="alice's other"), SAMPLE)


@XEP.must("2.3", says="Data outlive the session in which they were stored.")
def test_data_outlive_the_session(connect: Connect) -> None:
    account = connect.account()
    alice = with_private_storage(connect(account=account, label="alice"))
    require_result(store(alice, SAMPLE))
    log_out(alice)
    _holds(connect(account=account, label="alice again"), SAMPLE)


# --- what is refused


@XEP.must("2.3", says="A query without a child element is refused.")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_query_without_a_child_is_refused(kind: str, connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    require_error(store(alice, "") if kind == "set" else fetch(alice, ""), *MALFORMED)


@XEP.must("2.3", says="A query whose child has no namespace is refused.")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_child_without_a_namespace_is_refused(kind: str, connect: Connect) -> None:
    alice, child = with_private_storage(connect(label="alice")), "<lab xmlns=''>none</lab>"
    require_error(store(alice, child) if kind == "set" else fetch(alice, child), *MALFORMED)


@XEP.may("2.3", says="A reserved namespace is refused, or kept apart from what it is reserved for.")
def test_reserved_namespace(connect: Connect) -> None:
    alice = with_private_storage(connect(label="alice"))
    reply = store(alice, f"<vCard xmlns='{VCARD}'><FN>Hamlet</FN></vCard>")
    if reply.get("type") == "error":
        require_error(reply)
    else:
        require_result(reply)
    vcard = fetch_vcard(alice)
    require("Hamlet" not in show(vcard), "a vCard that was never set", vcard)


# --- others' data

each_content = pytest.mark.parametrize(
    ("asked", "content"),
    [
        pytest.param(ASKED, SAMPLE, id="data"),
        pytest.param(
            f"<storage xmlns='{BOOKMARKS}'/>",
            f"<storage xmlns='{BOOKMARKS}'><conference jid='secret@rooms.example'/></storage>",
            id="bookmarks",
        ),
    ],
)


@each_content
@XEP.must("2.3", "4", says="Who asks for another user's data is refused: forbidden, or service-unavailable.")
def test_data_of_others_are_not_shown(asked: str, content: str, connect: Connect) -> None:
    alice, bob = with_private_storage(connect(label="alice")), connect(label="bob")
    require_result(store(alice, content))
    reply = fetch(bob, asked, to=alice.bare_jid)
    require("secret" not in show(reply) and "<two" not in show(reply), "nothing of what is stored", reply)
    require_error(reply, "forbidden", "service-unavailable")


@each_content
@XEP.must("4", "2.3", says="Who sets another user's data is refused, as forbidden or service-unavailable.")
def test_data_of_others_are_not_set(asked: str, content: str, connect: Connect) -> None:
    alice, bob = with_private_storage(connect(label="alice")), connect(label="bob")
    require_result(store(alice, content))
    forged = content.replace("secret@", "forged@").replace("<two>", "<forged>").replace("</two>", "</forged>")
    reply = store(bob, forged, to=alice.bare_jid)
    kept = fetch(alice, asked)
    require("forged" not in show(kept), "what the user has stored", kept)
    require_error(reply, "forbidden", "service-unavailable")


@XEP.must("2.3", says="Nobody is told by an error whether a user has data.")
def test_refusal_does_not_tell_what_is_there(connect: Connect) -> None:
    alice, carol, bob = with_private_storage(connect(label="alice")), connect(label="carol"), connect(label="bob")
    require_result(store(alice, SAMPLE))
    having, lacking = (fetch(bob, ASKED, to=session.bare_jid) for session in (alice, carol))
    require_error(having, "forbidden", "service-unavailable")
    require_equal(stanza_error_condition(lacking), stanza_error_condition(having), "the condition without data")
