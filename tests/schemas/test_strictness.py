"""What the schemas of forms, pubsub, multi-user chat and their kin refuse and accept, where the prose says so.

Each case is one rule, by its section; that the examples validate is the audit's to say.
"""

from __future__ import annotations

import pytest
from lxml import etree

from schemas.catalogue import catalogue

DATA = "jabber:x:data"
PUBSUB = "http://jabber.org/protocol/pubsub"
MUC = "http://jabber.org/protocol/muc"
COMMANDS = "http://jabber.org/protocol/commands"
RSM = "http://jabber.org/protocol/rsm"
AVATAR = "urn:xmpp:avatar:metadata"

REFUSED = [
    pytest.param(DATA, "<x/>", id="XEP-0004 §3.1: a form has a type"),
    pytest.param(DATA, "<x type='form'><title/><title/></x>", id="XEP-0004 §3: one title"),
    pytest.param(
        DATA, "<x type='form'><field var='a'><option/></field></x>", id="XEP-0004 §3.2: a value each option"
    ),
    pytest.param(DATA, "<x type='result'><reported/></x>", id="XEP-0004 §3.4: a field at least"),
    pytest.param(DATA, "<x type='result'><item><field/></item></x>", id="XEP-0004 §3.4: reported before items"),
    pytest.param(DATA, "<x type='form'><unheard-of/></x>", id="XEP-0004: no other element of its namespace"),
    pytest.param("storage:bookmarks", "<storage><conference/></storage>", id="XEP-0048 §2.1: jid required"),
    pytest.param("jabber:iq:private", "<query/>", id="XEP-0049 §2.3: a child at least"),
    pytest.param(COMMANDS, "<command/>", id="XEP-0050 §4.1: node required"),
    pytest.param(COMMANDS, "<command node='a' sessionid=''/>", id="XEP-0050 §4.1: no empty session"),
    pytest.param("vcard-temp", "<vCard><TEL><HOME/></TEL></vCard>", id="XEP-0054 §8: a number, be it empty"),
    pytest.param("vcard-temp", "<vCard><BDAY>yesterday</BDAY></vCard>", id="XEP-0054 §9: ISO 8601"),
    pytest.param(RSM, "<set><max>-1</max></set>", id="XEP-0059 §2.1: a count"),
    pytest.param(PUBSUB, "<pubsub><configure/><create/></pubsub>", id="XEP-0060 §8.1.3: create comes first"),
    pytest.param(PUBSUB, "<pubsub><items node='a'/><unsubscribe jid='a'/></pubsub>", id="XEP-0060: one request"),
    pytest.param(PUBSUB, "<pubsub><subscribe node='a'/></pubsub>", id="XEP-0060 §6.1.1: jid required"),
    pytest.param(PUBSUB, "<pubsub><publish/></pubsub>", id="XEP-0060 §7.1.1: node required"),
    pytest.param(
        PUBSUB,
        "<pubsub><publish node='a'><item><b xmlns='c'/><b xmlns='c'/></item></publish></pubsub>",
        id="XEP-0060 §7.1.3.6: one payload",
    ),
    pytest.param(
        PUBSUB, "<pubsub><publish node='a'/><publish-options/></pubsub>", id="XEP-0060 §7.1.5: a form in options"
    ),
    pytest.param(
        PUBSUB, "<pubsub><retract node='a'><item/></retract></pubsub>", id="XEP-0060 §7.2.1: the id of what goes"
    ),
    pytest.param(f"{PUBSUB}#owner", "<pubsub/>", id="XEP-0060 §8: something is asked"),
    pytest.param(
        f"{PUBSUB}#owner",
        "<pubsub><affiliations node='n'><affiliation jid='a@b/c'/></affiliations></pubsub>",
        id="XEP-0060 §4.1: bare JIDs",
    ),
    pytest.param(f"{PUBSUB}#errors", "<unsupported/>", id="XEP-0060: which feature"),
    pytest.param(AVATAR, "<metadata><pointer><a xmlns='b'/></pointer></metadata>", id="XEP-0084 §4.2.2: info first"),
    pytest.param(AVATAR, "<metadata><info id='a' bytes='1' type='text/plain'/></metadata>", id="XEP-0084 §4.2.1"),
    pytest.param("urn:xmpp:avatar:data", "<data a='b'/>", id="XEP-0084 §4.1: no attributes"),
    pytest.param(MUC, "<x><history/><history/></x>", id="XEP-0045 §7.2.14: one history"),
    pytest.param(f"{MUC}#user", "<x><status code='99'/></x>", id="XEP-0045 §16.6: three digits"),
    pytest.param(f"{MUC}#admin", "<query/>", id="XEP-0045 §8: an item at least"),
    pytest.param(f"{MUC}#admin", "<query><item role='admin'/></query>", id="XEP-0045 §5.1: admin is no role"),
    pytest.param(f"{MUC}#owner", "<query><destroy/><destroy/></query>", id="XEP-0045 §10.9: one end"),
    pytest.param("jabber:x:conference", "<x/>", id="XEP-0249 §2: jid required"),
]

ACCEPTED = [
    pytest.param(DATA, "<x type='submit'><field var='a'/></x>", id="XEP-0004 §3.6: a field without a value"),
    pytest.param(DATA, "<x type='form'><title xml:lang='de'/></x>", id="RFC 6120 §8.4: attributes of others"),
    pytest.param(RSM, "<set><max>10</max><before/></set>", id="XEP-0059 §2.5: an empty UID"),
    pytest.param("vcard-temp", "<vCard/>", id="XEP-0054 §3.1: an empty card"),
    pytest.param(PUBSUB, "<pubsub/>", id="XEP-0059 §2.2: nothing at all"),
    pytest.param(
        PUBSUB,
        f"<pubsub><set xmlns='{RSM}'><max>1</max></set><items node='a'/></pubsub>",
        id="XEP-0060 §6.5.4: a page",
    ),
    pytest.param(f"{PUBSUB}#event", "<event><items node='a'/></event>", id="XEP-0060 §4.3: transient, no payload"),
    pytest.param(AVATAR, "<metadata/>", id="XEP-0084 §3.5: no avatar any more"),
    pytest.param(f"{MUC}#user", "<x/>", id="XEP-0045 §7.5: a private message"),
]


@pytest.mark.parametrize(("namespace", "xml"), REFUSED)
def test_what_breaks_a_rule_is_a_mismatch(namespace: str, xml: str) -> None:
    assert catalogue().mismatches(_element(namespace, xml))


@pytest.mark.parametrize(("namespace", "xml"), ACCEPTED)
def test_what_the_prose_allows_is_valid(namespace: str, xml: str) -> None:
    element = _element(namespace, xml)
    assert catalogue().declares(str(element.tag))
    assert not catalogue().mismatches(element)


def _element(namespace: str, xml: str) -> etree._Element:
    """The element, below one that has its namespace as the default."""
    return etree.fromstring(f"<r xmlns='{namespace}'>{xml}</r>")[0]
