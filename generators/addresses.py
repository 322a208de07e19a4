"""JIDs: those of a scene, and those on the edges of RFC 7622 that are legal once they are mapped and normalised.

Every list is as long in one scene as in another of as many addresses, so that the same choices make the same stanza.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from generators.escape import anywhere
from generators.shapes import Value
from generators.stanza import Scene
from lab.errors import UsageError

MEANINGS = frozenset({"jid", "bareJid", "fullJid", "domain", "localpart", "resource", "host"})

LOCALPARTS = (
    *("juliet", "JULIET", "a" * 1023, "é" * 511, "é", "e\u0301", "\u00df", "σς", "\uff41\uff4c", "שלום", "مرحبا"),
    *("!#$%()*+,-.;=?[\\]^_`{|}~", "d\\27artagnan", "\\20", "a.b", ".", "-", "0", "𠮷", "xn--a", "ünïcödé", "日本語"),
)
"""RFC 7622 §3.3: 1 to 1023 bytes, no spaces, none of " & ' / : < > @ ."""

DOMAINS = (
    *("example.org", "EXAMPLE.ORG", "example.org.", "a", "localhost", "127.0.0.1", "[::1]", "[2001:db8::1]"),
    *(
        "münchen.example",
        "xn--mnchen-3ya.example",
        "日本語.example",
        "\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.org",
        "faß.example",
        "例え。テスト",
    ),
    *("a" * 63 + ".example", ".".join(["a" * 63] * 3 + ["a" * 61]), "a-b.example", "1.2.3.4.5", "0x7f.example"),
)
"""RFC 7622 §3.2: a name, perhaps with a dot behind it, or an address."""

RESOURCES = (
    *(
        "a",
        "A",
        "a/b",
        "a@b",
        "@",
        "/",
        "a b",
        "a" * 1023,
        "é" * 511,
        "😀" * 255,
        "😀",
        "e\u0301",
        "\u00e9",
    ),
    *(
        "'\"&<>",
        "]]>",
        "שלום",
        "a\u0661",
        "\u00a0",
        "\u3000a",
        "\uff57\uff49",
        "ﬁ",
        ".",
        "0",
        "gajim.0V2M",
        "日本語",
        "𝄞",
    ),
)
"""RFC 7622 §3.4: 1 to 1023 bytes, spaces and symbols among them."""

HOSTS = ("::1", "2001:db8::1", "fe80::1", "192.0.2.1", "0.0.0.0", "255.255.255.255", "::ffff:192.0.2.1")  # noqa: S104
"""A host may be a bare address besides."""

_SHARE = 3  # of four addresses, so many are the scene's


class Addresses:
    """What a scene makes of each meaning: texts as XML has them, ready for attributes and content alike."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        named = [address for values in scene.addresses.values() for address in values if address]
        self._named = [*named, scene.own_bare, scene.own, scene.domain]
        self.lists: dict[object, tuple[str, ...]] = {}

    def make(self, key: object, value: Value) -> tuple[str, ...]:
        """The addresses for a value, the scene's first one first, kept in `lists` by `key`."""
        found = self.lists[key] = tuple(map(anywhere, self._fitting(value)))
        return found

    def _fitting(self, value: Value) -> Sequence[str]:
        own, edges = _LISTS[value.meaning](self._named, self.scene.domain)
        texts = [*own * max(1, round(_SHARE * len(edges) / len(own))), *edges]
        if value.plain:
            return texts
        # One that does not fit gives way to the first that does: the list is as long in any scene.
        first = next((text for text in texts if value.accepts(text)), None)
        if first is None:
            raise UsageError(f"no address is known that {value.place} would accept", hint="widen its type")
        return [text if value.accepts(text) else first for text in texts]


Texts = list[str]


def _jids(named: Texts, domain: str) -> tuple[Texts, Texts]:
    edges = [*(f"{local}@{domain}" for local in LOCALPARTS), *DOMAINS]
    edges += [f"{named[0].partition('/')[0]}/{resource}" for resource in RESOURCES]
    edges += [f"a@{host}/b" for host in DOMAINS[1:8]]
    return named, edges


def _bare(named: Texts, domain: str) -> tuple[Texts, Texts]:
    return [name.partition("/")[0] for name in named], [*(f"{local}@{domain}" for local in LOCALPARTS), *DOMAINS]


def _full(named: Texts, domain: str) -> tuple[Texts, Texts]:
    own = [name if "/" in name else f"{name}/a" for name in named]
    edges = [f"{named[0].partition('/')[0]}/{resource}" for resource in RESOURCES]
    return own, edges + [f"{local}@{domain}/a" for local in LOCALPARTS]


def _domains(named: Texts, _: str) -> tuple[Texts, Texts]:
    return [name.partition("/")[0].rpartition("@")[2] for name in named], list(DOMAINS)


def _localparts(named: Texts, _: str) -> tuple[Texts, Texts]:
    return [name.rpartition("@")[0] if "@" in name.partition("/")[0] else "a" for name in named], list(LOCALPARTS)


def _resources(named: Texts, _: str) -> tuple[Texts, Texts]:
    return [name.partition("/")[2] or "a" for name in named], list(RESOURCES)


def _hosts(named: Texts, domain: str) -> tuple[Texts, Texts]:
    own, edges = _domains(named, domain)
    return own, [*edges, *HOSTS]


_LISTS: dict[str, Callable[[Texts, str], tuple[Texts, Texts]]] = {
    "jid": _jids,
    "bareJid": _bare,
    "fullJid": _full,
    "domain": _domains,
    "localpart": _localparts,
    "resource": _resources,
    "host": _hosts,
}
