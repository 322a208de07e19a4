"""Text as XML has it, in an attribute or between tags: with the references that XMPP allows (RFC 6120 §11.1)."""

from __future__ import annotations

_BOTH = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
# White space of an attribute would be read as spaces, and the generators quote with '.
_ATTRIBUTE = str.maketrans({**_BOTH, "'": "&apos;", "\n": "&#10;", "\t": "&#9;"})
_TEXT = str.maketrans(_BOTH)
_ANYWHERE = str.maketrans({**_BOTH, "'": "&apos;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def attribute(text: str) -> str:
    """For an attribute's value in single quotes."""
    return text.translate(_ATTRIBUTE)


def content(text: str) -> str:
    """For text between tags."""
    return text.translate(_TEXT)


def anywhere(text: str) -> str:
    """For both."""
    return text.translate(_ANYWHERE)
