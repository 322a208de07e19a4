"""Texts by what they break: plain ones, then by class those that XML allows and software trips over."""

from __future__ import annotations

from collections.abc import Mapping

PLAIN = (
    *("a", "b", "0", "1", "true", "test", "Romeo", "hello world", "juliet", "http://example.org/?a=1#b"),
    *("urn:stanzalab:0", "A", "x y", "v1.2-3", "foo_bar", "Art thou not Romeo, and a Montague?"),
)
"""What anybody would write; the first is the simplest of all texts."""

NASTY: Mapping[str, tuple[str, ...]] = {
    "empty": ("",),
    "white space": (" ", "   ", "\t", "\n", "\r\n", "\r", " a ", "a\n\n b", "\u00a0", "\u2028", "\u3000", "\u0085"),
    "escapes": (
        "&",
        "<",
        ">",
        "'",
        '"',
        "&amp;",
        "&amp;amp;",
        "]]>",
        "<![CDATA[x]]>",
        "</stream:stream>",
        "<!--x-->",
    ),
    "injection": (
        "<?xml version='1.0'?>",
        "%s%n",
        "' OR 1=1 --",
        "$(id)",
        "../../etc/passwd",
        "\\u0000",
        "\\",
        "{{7*7}}",
    ),
    "latin": ("é", "ß", "\u017f", "İı", "ﬁ", "Å"),
    "astral": (
        "𝄞",
        "😀",
        "👩\u200d👩\u200d👧\u200d👦",
        "🏳\ufe0f\u200d🌈",
        "𐍈𐍈",
        "\U0010fffd",
        "\U000e0001\U000e0041",
    ),
    "combining": (
        "e\u0301",
        "\u0301",
        "a" + "\u0300\u0316" * 20,
        "Z̸̡͝a̷l̨g̵o",
        "\u1100\u1161\u11a8",
        "\u0f71\u0f72\u0f74",
    ),
    "normalisation": (
        "\u00e9e\u0301",
        "\u212b\u00c5A\u030a",
        "\u1e9b\u0323",
        "ﬃ①Ⅷ",
        "\uff46\uff55\uff4c\uff4c",
        "\ufdfa",
        "가각",
    ),
    "right to left": ("שלום", "مرحبا", "a\u05d0b", "\u0627\u0661a"),
    "bidi controls": ("\u202eabc", "\u2066a\u2069", "\u200f", "a\u202c", "\u061c"),
    "invisible": ("\u200b", "\ufeff", "a\u00adb", "\u2060", "\u180e", "\ufe0f", "\u034f"),
    "controls": ("\x7f", "\x80", "\x9f"),
    "non-characters": ("\ufdd0", "\ufdef", "\U0001fffe", "\U0010ffff"),
    "private use": ("\ue000", "\uf8ff", "\U000f0000"),
    "planes' ends": ("\ud7ff", "\ue000", "\ufffd", "\U00010000"),
    "numbers": ("-1", "00", "1e400", "NaN", "18446744073709551616", "١٢٣", "½"),
}
"""By class. None is longer than a line."""

LENGTHS = (16, 64, 255, 256, 1023, 1024, 2048)
LONGEST = 2048
"""Bytes of a text that is one repeated: with several of them, a stanza is still one that every server takes (RFC 6120
§13.12: 10,000)."""


def all_texts() -> tuple[str, ...]:
    return (*PLAIN, *(text for texts in NASTY.values() for text in texts))
