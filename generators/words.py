"""Known words by meaning: what the protocols themselves write into ids, nodes, dates, hashes, and the edges of each.

The first of each is the simplest legal one. Whether a narrower type accepts a word is asked where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

_BASE64 = ("", "YQ==", "AA==", "////", "++++", "AGFsaWNlAHNlY3JldA==", "YWI=", "YWJj", "A" * 4, "A" * 1368)
_HOURS = ("00:00:00Z", "23:59:60Z", "24:00:00Z", "12:00:00+14:00", "12:00:00-12:00", "12:00:00-00:00")
_FRACTIONS = ("00:00:00.0Z", "23:59:59.999999999999999Z", "12:00:00.5+05:30", "12:00:00.000-08:00")
_DATES = (
    "1969-07-21",
    "2016-12-31",
    "0001-01-01",
    "9999-12-31",
    "2024-02-29",
    "1970-01-01",
    "2038-01-19",
    "-0044-03-15",
)

WORDS: Mapping[str, tuple[str, ...]] = {
    "id": (
        "a",
        "1",
        "9c1a6f0e-3f3b-4c43-8d0c-0f6b3f1a2b3c",
        "stanzalab-1",
        "0",
        "bind_1",
        "a" * 1023,
        "id:with/odd?chars#",
    ),
    "node": (
        *("a", "http://jabber.org/protocol/commands", "urn:xmpp:avatar:metadata", "http://jabber.org/protocol/nick"),
        *(
            "urn:xmpp:bookmarks:1",
            "urn:xmpp:avatar:data",
            "storage:bookmarks",
            "x/y/z",
            "princely_musings",
            "A",
            "current",
        ),
        *(
            "http://jabber.org/protocol/muc#rooms",
            "x-roomuser-item",
            "http://example.org/caps#q07IKJEyjvHSyhy//CH0CxmKi8w=",
        ),
        "http://jabber.org/protocol/admin#get-user-roster",
    ),
    "itemId": ("a", "current", "1", "ae890ac52d0df67ed7cfdf51b644e901", "urn:xmpp:avatar:data", "a b", "a" * 1023),
    "namespace": (
        *(
            "a",
            "http://jabber.org/protocol/disco#info",
            "jabber:iq:roster",
            "urn:xmpp:ping",
            "urn:xmpp:mam:2",
            "jabber:x:data",
        ),
        *(
            "http://jabber.org/protocol/muc",
            "http://jabber.org/protocol/pubsub#event",
            "urn:stanzalab:0",
            "jabber:client",
        ),
    ),
    "var": (
        *(
            "a",
            "FORM_TYPE",
            "muc#roomconfig_roomname",
            "muc#roomconfig_membersonly",
            "pubsub#access_model",
            "pubsub#title",
        ),
        *("with", "start", "pubsub#max_items", "muc#roomconfig_maxusers", "x-custom", "a b", "{urn:a}b"),
    ),
    "mechanism": (
        "A",
        "PLAIN",
        "SCRAM-SHA-1",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-256",
        "EXTERNAL",
        "ANONYMOUS",
        "X-9_0",
        "A" * 40,
    ),
    "algorithm": (
        "sha-1",
        "sha-256",
        "SHA-256",
        "sha-512",
        "sha3-256",
        "blake2b-512",
        "md5",
        "id-blake2b512",
        "x-none",
    ),
    "mediaType": (
        "a/b",
        "image/png",
        "image/jpeg",
        "video/mp4",
        "text/plain",
        "text/plain; charset=utf-8",
        "application/octet-stream",
    ),
    "token": ("a", "text", "1", "a.b", "a-b", "a:b", "_", "-", "é", "日本"),
    "language": (
        "",
        "en",
        "de-CH-1996",
        "x-klingon",
        "EN",
        "zh-Hant-TW",
        "i-default",
        "mul",
        "abcdefgh-12345678-abcdefgh",
    ),
    "dateTime": (
        *("1970-01-01T00:00:00Z", "1969-07-21T02:56:15Z", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59.999999999Z", "2038-01-19T03:14:08Z", "1969-12-31T23:59:59Z", "-0044-03-15T12:00:00Z"),
        *(f"2024-02-29T{time}" for time in (*_HOURS, *_FRACTIONS)),
    ),
    "date": _DATES,
    "time": (*_HOURS, *_FRACTIONS, "00:00:00", "02:56:15"),
    "timeZone": ("Z", "+00:00", "-00:00", "+14:00", "-12:00", "+05:45", "-06:00"),
    "legacyDateTime": ("19700101T00:00:00", "20161231T23:59:60", "00010101T00:00:00", "99991231T23:59:59"),
    "base64": (*_BASE64, "YW\nJj", " YWJj ", "YW Jj"),
    "digest": ("", "AA==", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "////", "A" * 88),
    "fingerprint": ("00", "02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD", "ff:Ff", " 00:01 ", "0a\n"),
    "saslData": ("=", *_BASE64),
    "hex": ("", "0", "00", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "DEADBEEF", "f" * 64, "aB"),
    "uri": (
        *(
            "a",
            "http://example.org/",
            "xmpp:romeo@example.org?message",
            "",
            "cid:sha1+8f35fef1@bob.xmpp.org",
            "http://[::1]:80/%20?a=b&c#d",
        ),
        *(
            "data:,a",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "https://münchen.example/ü",
            "//a",
            "file:///etc/passwd",
            "a" * 1024,
        ),
    ),
    "ipAddress": (
        "::",
        "192.0.2.1",
        "2001:db8::1",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "::1",
        "fe80::1",
        "::ffff:192.0.2.1",
    ),
    "decimal": ("0", "0.0", "-0", "1.5", "-90", "180.000000", "-123456789.987654321", "1", "+1", ".5", "00.50"),
    "boolean": ("false", "true", "0", "1"),
    "duration": ("PT0S", "P1D", "-P1Y2M3DT4H5M6.7S", "PT36H"),
    "NMTOKEN": ("a", "1", "a.b", "a-b", "é"),
    "anyURI": ("a", "http://example.org/", "urn:a:b"),
}
"""By the names of types.xsd, or of XML Schema itself."""

OPEN = frozenset({"text", "nick", "password", "string", "anySimpleType", "id", "node", "itemId", "namespace", "var"})
"""The meanings that any text has: to their words, whatever breaks software is added."""

INTEGERS = (
    0,
    1,
    2,
    3,
    7,
    10,
    50,
    100,
    127,
    128,
    255,
    256,
    4096,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
LARGE = (2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30)


def integers(low: int | None, high: int | None) -> tuple[str, ...]:
    """Numbers in a range, its ends first after 0; leading zeros are legal, too."""
    below = [-n for n in INTEGERS[1:]] if low is None or low < 0 else []
    ends = [
        end
        for end in (low, high, None if low is None else low + 1, None if high is None else high - 1)
        if end is not None
    ]
    numbers = [
        n for n in (*INTEGERS, *ends, *below, *LARGE) if (low is None or n >= low) and (high is None or n <= high)
    ]
    if low is not None and low > 0:
        numbers.insert(0, low)
    return (*map(str, dict.fromkeys(numbers)), *(f"0{n}" for n in numbers[:2] if n >= 0))
