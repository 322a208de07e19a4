"""XEP-0054 (vcard-temp): what is stored comes back, whoever asks, and there is no telling who has an account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import VCARD
from lab.wire.session import Session, localname, new_id, parse, show, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._contacts import appear, log_out
from scenarios.server._discovery import advertises, answered
from scenarios.server._vcard import card, decoded, fetch, picture, store, with_vcard

XEP = Specification("XEP-0054")

BASIC = "<FN>Juliet Capulet</FN><N><FAMILY>Capulet</FAMILY><GIVEN>Juliet</GIVEN></N>"
ABSENT = ("service-unavailable", "feature-not-implemented")
BINARY = {"BINVAL", "CRED"}

SAMPLES: dict[str, str] = {
    "FN": "<FN>Juliet Capulet</FN>",
    "N": "<N><FAMILY>Capulet</FAMILY><GIVEN>Juliet</GIVEN><MIDDLE>A.</MIDDLE><PREFIX>Lady</PREFIX>"
    "<SUFFIX>II</SUFFIX></N>",
    "NICKNAME": "<NICKNAME>jule</NICKNAME>",
    "PHOTO": f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{picture().base64}</BINVAL></PHOTO>",
    "PHOTO-address": "<PHOTO><EXTVAL>https://capulet.example/juliet.png</EXTVAL></PHOTO>",
    "BDAY": "<BDAY>1476-06-09</BDAY>",
    "ADR": "<ADR><HOME/><POBOX>1</POBOX><EXTADD>rear</EXTADD><STREET>Via Cappello 23</STREET>"
    "<LOCALITY>Verona</LOCALITY><REGION>VR</REGION><PCODE>37121</PCODE><CTRY>Italy</CTRY></ADR>",
    "LABEL": "<LABEL><WORK/><LINE>Via Cappello 23</LINE><LINE>Verona</LINE></LABEL>",
    "TEL": "<TEL><WORK/><NUMBER>+39-045-8034303</NUMBER></TEL>",
    "TEL-types": "<TEL><HOME/><VOICE/><CELL/><NUMBER>+39-045-8034303</NUMBER></TEL>",
    "EMAIL": "<EMAIL><INTERNET/><USERID>juliet@capulet.example</USERID></EMAIL>",
    "EMAIL-types": "<EMAIL><WORK/><INTERNET/><PREF/><USERID>juliet@capulet.example</USERID></EMAIL>",
    "JABBERID": "<JABBERID>juliet@capulet.example</JABBERID>",
    "MAILER": "<MAILER>nurse</MAILER>",
    "TZ": "<TZ>+01:00</TZ>",
    "GEO": "<GEO><LAT>45.442000</LAT><LON>10.998600</LON></GEO>",
    "TITLE": "<TITLE>Daughter</TITLE>",
    "ROLE": "<ROLE>Heroine</ROLE>",
    "LOGO": f"<LOGO><TYPE>image/png</TYPE><BINVAL>{picture().base64}</BINVAL></LOGO>",
    "AGENT": "<AGENT><EXTVAL>https://capulet.example/nurse.vcf</EXTVAL></AGENT>",
    "ORG": "<ORG><ORGNAME>House of Capulet</ORGNAME></ORG>",
    "ORG-units": "<ORG><ORGNAME>House of Capulet</ORGNAME><ORGUNIT>Ball</ORGUNIT><ORGUNIT>Tomb</ORGUNIT></ORG>",
    "CATEGORIES": "<CATEGORIES><KEYWORD>love</KEYWORD><KEYWORD>tragedy</KEYWORD></CATEGORIES>",
    "NOTE": "<NOTE>Fair Verona &amp; two houses, both alike: 1 &lt; 2</NOTE>",
    "PRODID": "<PRODID>-//Lab//EN</PRODID>",
    "REV": "<REV>1597-01-01T00:00:00Z</REV>",
    "SORT-STRING": "<SORT-STRING>Capulet</SORT-STRING>",
    "SOUND": "<SOUND><PHONETIC>dju-li-et</PHONETIC></SOUND>",
    "UID": "<UID>urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1</UID>",
    "URL": "<URL>https://capulet.example/juliet</URL>",
    "CLASS": "<CLASS><PUBLIC/></CLASS>",
    "KEY": "<KEY><TYPE>x509</TYPE><CRED>TUlJQg==</CRED></KEY>",
    "DESC": "<DESC>O Romeo, Romeo!\nWherefore art thou Romeo?</DESC>",
}
"""Each element of the DTD, as a client may store it. An address or a telephone number is told by its types, too."""

Leaf = tuple[str, str]


def leaves(element: Element, path: str = "") -> Iterator[Leaf]:
    """Path and text of each element without children: order and white space around a text mean nothing."""
    path = f"{path}/{localname(element)}" if path else localname(element)
    if len(element) == 0:
        text = (element.text or "").strip()
        yield path, decoded(text).hex() if localname(element) in BINARY else text
    for child in element:
        yield from leaves(child, path)


def _sample(text: str) -> Element:
    """A vCard of these elements, as it would come back."""
    return parse(f"<vCard xmlns='{VCARD}'>{text}</vCard>")


def _returned(reply: Element) -> Element:
    """The vCard of a result."""
    require_result(reply)
    vcard = card(reply)
    require(vcard is not None, "a vCard", reply)
    return vcard if vcard is not None else reply


def _is_empty(reply: Element) -> bool:
    """Whether an answer tells nothing: an error, or a vCard without a word."""
    vcard = card(reply)
    return vcard is None or not any(text for _, text in leaves(vcard))


def _with_basic_vcard(connect: Connect) -> Session:
    alice = with_vcard(connect(label="alice"))
    require_result(store(alice, BASIC))
    return alice


# --- support


@XEP.must("4", says="A server that answers for vCards lists the feature vcard-temp.")
def test_support_is_advertised(alice: Session) -> None:
    if advertises(alice, alice.domain, VCARD) or advertises(alice, alice.bare_jid, VCARD):
        return
    reply = answered(lambda: fetch(alice))
    require(stanza_error_condition(reply) in ABSENT, f"{VCARD} in disco#info, or no vCards at all", reply)
    with_vcard(alice)


# --- the own one


@XEP.must("3.1", "3.2", says="Whatever element of a vCard the user has stored comes back with it.")
@pytest.mark.parametrize("element", SAMPLES)
def test_element_comes_back(element: str, connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    # FN and N are all that a vCard must have.
    rest = {"FN": SAMPLES["N"], "N": SAMPLES["FN"]}.get(element, BASIC)
    require_result(store(alice, f"{rest}{SAMPLES[element]}"))
    reply = fetch(alice)
    vcard, stored = _returned(reply), list(leaves(_sample(SAMPLES[element])))
    name = element.partition("-")[0] if element != "SORT-STRING" else element
    come = [leaf for found in vcard.iterfind(f"{{{VCARD}}}{name}") for leaf in leaves(found, "vCard")]
    missing = [leaf for leaf in stored if leaf not in come]
    require(not missing, f"all of {SAMPLES[element]}", reply)
    strange = [leaf for leaf in come if leaf[1] and leaf not in stored]
    require(not strange, f"nothing but {SAMPLES[element]}", reply)


@XEP.must("3.1", "3.2", says="What stands there several times (telephones, addresses) comes back as often.")
@pytest.mark.parametrize("name", ["TEL", "EMAIL", "ADR"])
def test_repeated_element_comes_back(name: str, connect: Connect) -> None:
    inner = {"TEL": "NUMBER", "EMAIL": "USERID", "ADR": "STREET"}[name]
    alice = with_vcard(connect(label="alice"))
    content = "".join(f"<{name}><{kind}/><{inner}>{kind} 1</{inner}></{name}>" for kind in ("HOME", "WORK"))
    require_result(store(alice, f"{BASIC}{content}"))
    reply = fetch(alice)
    path = f"{{{VCARD}}}{inner}"
    told = [
        (found.findtext(path, ""), kind)
        for found in _returned(reply).iterfind(f"{{{VCARD}}}{name}")
        for kind in ("HOME", "WORK")
        if found.find(f"{{{VCARD}}}{kind}") is not None
    ]
    require_equal(sorted(told), [("HOME 1", "HOME"), ("WORK 1", "WORK")], f"each {name} and where it is")


@XEP.must("3.1", says="Who asks for the own vCard is answered by the account itself.")
@pytest.mark.parametrize("addressed", [False, True], ids=["without-to", "own-bare-jid"])
def test_own_vcard_is_from_the_account(addressed: bool, connect: Connect) -> None:
    alice = _with_basic_vcard(connect)
    reply = fetch(alice, alice.bare_jid if addressed else None)
    require_equal(_returned(reply).findtext(f"{{{VCARD}}}FN"), "Juliet Capulet", "FN")
    require(reply.get("from") in {alice.bare_jid, None}, f"an answer from {alice.bare_jid}", reply)


@XEP.must("3.2", says="A user may also name the own bare JID to set the vCard.")
def test_vcard_is_set_at_the_own_bare_jid(connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    require_result(store(alice, BASIC, to=alice.bare_jid))
    require_equal(_returned(fetch(alice)).findtext(f"{{{VCARD}}}FN"), "Juliet Capulet", "FN")


@XEP.must("3.1", says="Who has no vCard is told so, by a stanza error or by an empty one.")
def test_no_vcard_of_ones_own(connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    reply = fetch(alice)
    if card(reply) is None:
        require_error(reply)
    require(_is_empty(reply), "an error, or an empty vCard", reply)


@XEP.should("3.1", says="Where having no vCard is an error, it is item-not-found.")
def test_no_vcard_of_ones_own_is_not_found(connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    reply = fetch(alice)
    if card(reply) is None:
        require_error(reply, "item-not-found")


@XEP.must("3.2", says="A vCard is set as a whole: what the new one does not have is gone.")
def test_update_replaces_the_whole(connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    require_result(store(alice, f"{BASIC}<NICKNAME>jule</NICKNAME><TITLE>Daughter</TITLE>"))
    newer = "<FN>Juliet Montague</FN><N><GIVEN>Juliet</GIVEN></N><TITLE>Wife</TITLE>"
    require_result(store(alice, newer))
    reply = fetch(alice)
    told, expected = ({leaf for leaf in leaves(vcard) if leaf[1]} for vcard in (_returned(reply), _sample(newer)))
    require_equal(sorted(told), sorted(expected), "what the vCard says")


@XEP.should("3.2", says="An empty vCard takes the place of the former one, too.")
def test_empty_update_clears_the_vcard(connect: Connect) -> None:
    alice = _with_basic_vcard(connect)
    if store(alice, "").get("type") == "error":  # §3.2 allows it, and the DTD asks for VERSION, FN and N
        unsupported("vCards without elements")
    reply = fetch(alice)
    require(_is_empty(reply), "an error, or an empty vCard", reply)


@XEP.must("3.1", says="A vCard outlives the session in which it was stored.")
def test_vcard_outlives_the_session(connect: Connect) -> None:
    account = connect.account()
    alice = with_vcard(connect(account=account, label="alice"))
    require_result(store(alice, BASIC))
    log_out(alice)
    again = connect(account=account, label="alice again")
    require_equal(_returned(fetch(again)).findtext(f"{{{VCARD}}}FN"), "Juliet Capulet", "FN")


@XEP.must("8", says="Elements in a vCard are in ALL CAPS; a number stands in NUMBER, an address of mail in USERID.")
def test_vcard_is_spelt_as_it_should_be(connect: Connect) -> None:
    alice = with_vcard(connect(label="alice"))
    require_result(store(alice, "".join((BASIC, SAMPLES["TEL"], SAMPLES["EMAIL"], SAMPLES["ADR"]))))
    reply = fetch(alice)
    vcard = _returned(reply)
    for element in vcard.iterdescendants(f"{{{VCARD}}}*"):
        require(localname(element).isupper(), f"{localname(element)} in capitals", reply)
    for name, inner in (("TEL", "NUMBER"), ("EMAIL", "USERID")):
        found = vcard.find(f"{{{VCARD}}}{name}")
        require(found is not None, f"the {name} that was stored", reply)
        if found is not None:
            require(found.find(f"{{{VCARD}}}{inner}") is not None, f"{inner} in {name}", reply)
            require(not (found.text or "").strip(), f"no text in {name} itself", reply)


# --- others'


@XEP.must("3.3", says="The server answers who asks for a user's vCard, and does not forward the question.")
@pytest.mark.parametrize("there", [True, False], ids=["user-online", "user-offline"])
def test_vcard_of_another(there: bool, connect: Connect) -> None:
    alice, bob = _with_basic_vcard(connect), connect(label="bob")
    if there:
        appear(alice)
    else:
        log_out(alice)
    reply = fetch(bob, alice.bare_jid)
    require_equal(_returned(reply).findtext(f"{{{VCARD}}}FN"), "Juliet Capulet", "FN")
    require_equal(reply.get("from"), alice.bare_jid, "from")
    if there:
        alice.expect_nothing(
            f"<iq type='get' id='{new_id()}' from='{bob.jid}' to='{alice.jid}'><vCard xmlns='{VCARD}'/></iq>",
            lambda e: localname(e) == "iq" and e.find(f"{{{VCARD}}}vCard") is not None,
            "forwarded question",
            after=bob,
        )


@XEP.must("3.3", says="Who asks for the vCard of a user who has none gets service-unavailable.")
def test_missing_vcard_of_another(connect: Connect) -> None:
    alice, bob = connect(label="alice"), with_vcard(connect(label="bob"))
    require_error(fetch(bob, alice.bare_jid), "service-unavailable")


@XEP.must("3.3", says="Who asks for the vCard of a user who does not exist gets service-unavailable.")
def test_vcard_of_nobody(connect: Connect) -> None:
    bob = with_vcard(connect(label="bob"))
    require_error(fetch(bob, f"nobody-{new_id()}@{bob.domain}"), "service-unavailable")


@XEP.must("3.3", says="A user without a vCard and one who does not exist cannot be told apart.")
def test_absence_does_not_tell_who_exists(connect: Connect) -> None:
    alice, bob = connect(label="alice"), with_vcard(connect(label="bob"))
    without, nobody = fetch(bob, alice.bare_jid), fetch(bob, f"nobody-{new_id()}@{bob.domain}")
    require_equal(_answer(without), _answer(nobody), "the answer for a user without a vCard (and for nobody)")


def _answer(reply: Element) -> tuple[str | None, str, int]:
    """What of an answer could tell one case from another: its type, its condition, how much its vCard says."""
    vcard = card(reply)
    return reply.get("type"), stanza_error_condition(reply), -1 if vcard is None else len(list(leaves(vcard)))


@XEP.must("3.2", says="Setting another user's vCard is refused, and changes nothing.")
@pytest.mark.parametrize("has_one", [True, False], ids=["who-has-one", "who-has-none"])
def test_vcard_of_another_cannot_be_set(has_one: bool, connect: Connect) -> None:
    alice, bob = with_vcard(connect(label="alice")), connect(label="bob")
    if has_one:
        require_result(store(alice, BASIC))
    reply = store(bob, "<FN>Mercutio</FN>", to=alice.bare_jid)
    kept, own = fetch(alice), fetch(bob)
    require_error(reply)
    require(_is_empty(kept) is not has_one, "the vCard as it was", kept)
    require("Mercutio" not in show(kept), "nothing of the forged vCard", kept)
    require("Mercutio" not in show(own), "nothing of it in the vCard of who asked, either", own)


@XEP.should("3.2", says="Setting another user's vCard is refused as forbidden or not-allowed.")
def test_vcard_of_another_is_forbidden(connect: Connect) -> None:
    alice, bob = _with_basic_vcard(connect), connect(label="bob")
    require_error(store(bob, "<FN>Mercutio</FN>", to=alice.bare_jid), "forbidden", "not-allowed")
