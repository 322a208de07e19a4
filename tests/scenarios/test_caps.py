"""The verification string, held against XEP-0115's own two results, and the caps of the lab's clients."""

from __future__ import annotations

import pytest

from lab.plugin.judge import Impossible
from lab.wire.session import parse
from scenarios.server._caps import (
    form_type,
    fresh_capabilities,
    is_info_request,
    parse_query,
    verification_string,
)

DISCO = "http://jabber.org/protocol/disco"
FEATURES = "".join(
    f"<feature var='http://jabber.org/protocol/{name}'/>" for name in ("muc", "disco#items", "caps", "disco#info")
)
SOFTWARE = (
    "<x xmlns='jabber:x:data' type='result'>{fields}"
    "<field var='software'><value>Psi</value></field><field var='os_version'><value>10.5.1</value></field>"
    "<field var='ip_version'><value>ipv6</value><value>ipv4</value></field>"
    "<field var='software_version'><value>0.11</value></field><field var='os'><value>Mac</value></field></x>"
)
FORM_TYPE = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"
TWO_LANGUAGES = (
    "<identity category='client' type='pc' xml:lang='en' name='Psi 0.11'/>"
    "<identity category='client' type='pc' xml:lang='el' name='\u03a8 0.11'/>"
)


def test_simple_example() -> None:
    """§5.2."""
    query = parse_query("<identity category='client' type='pc' name='Exodus 0.9.1'/>" + FEATURES)
    assert verification_string(query) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_complex_example() -> None:
    """§5.3: languages, and a form whose fields and values come in another order."""
    query = parse_query(TWO_LANGUAGES + FEATURES + SOFTWARE.format(fields=FORM_TYPE))
    assert verification_string(query) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


@pytest.mark.parametrize(
    "form_type_field", ["", FORM_TYPE.replace(" type='hidden'", "")], ids=["no FORM_TYPE", "not hidden"]
)
def test_form_without_a_hidden_form_type_is_left_out(form_type_field: str) -> None:
    """§5.4."""
    plain = parse_query(TWO_LANGUAGES + FEATURES)
    with_form = parse_query(TWO_LANGUAGES + FEATURES + SOFTWARE.format(fields=form_type_field))
    assert form_type(with_form[-1]) is None
    assert verification_string(with_form) == verification_string(plain)


def test_form_of_a_form_type_alone() -> None:
    """A form's FORM_TYPE is one part, and there is no empty one behind it."""
    form = "<x xmlns='jabber:x:data' type='result'>{}</x>"
    only = parse_query(FEATURES + form.format(FORM_TYPE))
    with_field = parse_query(FEATURES + form.format(FORM_TYPE + "<field var=''/>"))
    assert verification_string(only) != verification_string(with_field)


def test_order_is_by_octets() -> None:
    """i;octet compares UTF-8, in which U+FF21 stands before U+1D400; UTF-16 has it the other way round."""
    either = "<feature var='\U0001d400'/><feature var='\uff21'/>"
    other = "<feature var='\uff21'/><feature var='\U0001d400'/>"
    assert verification_string(parse_query(either)) == verification_string(parse_query(other))
    assert sorted(["\U0001d400", "\uff21"], key=str.encode) == ["\uff21", "\U0001d400"]


def test_other_hash_functions() -> None:
    query = parse_query(FEATURES)
    assert len(verification_string(query, "sha-256")) == 44
    with pytest.raises(Impossible, match="whirlpool"):
        verification_string(query, "whirlpool")


def test_client_announces_what_it_answers() -> None:
    capabilities = fresh_capabilities("urn:example:node")
    assert verification_string(parse_query(capabilities.info())) == capabilities.ver
    assert "urn:example:node+notify" in capabilities.features
    assert f"ver='{capabilities.ver}'" in capabilities.presence("here")
    assert fresh_capabilities("urn:example:node").ver != capabilities.ver


@pytest.mark.parametrize(
    ("stanza", "asks"),
    [
        (f"<iq type='get' id='1'><query xmlns='{DISCO}#info'/></iq>", True),
        (f"<iq type='get' id='1'><query xmlns='{DISCO}#items'/></iq>", False),
        (f"<iq type='result' id='1'><query xmlns='{DISCO}#info'/></iq>", False),
        (f"<message type='get' id='1'><query xmlns='{DISCO}#info'/></message>", False),
    ],
)
def test_info_request(stanza: str, asks: bool) -> None:
    assert is_info_request(parse(stanza, default="jabber:client")) is asks
