"""Names of files and addresses, made from names that a subject may have chosen: safe everywhere, the same each night.

What is a plain name stays what it is; where something had to be replaced, a hash of the whole keeps two names apart.
`_` never stands in a slug, so that it can join slugs. No slug is a path, hidden, or longer than `LONGEST`.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256

LONGEST = 60  # characters of a slug, before its hash
JOINED = 120  # and of several; file systems end at 255
DEEPEST = 200  # and of a name with its folders
_OTHER = re.compile(r"[^a-z0-9.]+")
_HASHED = re.compile(r"-[0-9a-f]{10}")


@cache
def slug(name: str) -> str:
    """`prosody` is `prosody`, `My Server` is `my-server-4c1b0e92d3`."""
    plain = _OTHER.sub("-", name.lower())[:LONGEST].strip("-.")
    if plain and plain == name and not _HASHED.fullmatch(plain[-11:]):
        return plain
    return f"{plain or 'x'}-{_digest(name)}"


def joined(text: str) -> str:
    """Slugs that were joined by `_`, and are one name: cut where they are too long, and a hash keeps them apart."""
    return text if len(text) <= JOINED else f"{text[:JOINED]}-{_digest(text)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


@cache
def path(name: str) -> str:
    """A name of several parts, a folder each: `xep-0030/info-is-answered`. No folder is called as a file may be."""
    parts = [part if "." not in part else f"{part}/" for part in name.split("/")]  # what has a dot gets its hash
    found = "/".join(slug(part).replace(".", "-") for part in parts)
    return found if len(found) <= DEEPEST else slug(name).replace(".", "-")
