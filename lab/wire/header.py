"""The initial stream header as text (RFC 6120 §4.7): any attribute can be left out, or put in as written."""

from __future__ import annotations

from lab.wire.namespaces import CLIENT, STREAM

DECLARATION = "<?xml version='1.0'?>"


def header(
    *,
    to: str | None = None,
    namespace: str = CLIENT,
    version: str | None = "1.0",
    lang: str | None = "en",
    attributes: str = "",
    declaration: str = DECLARATION,
) -> str:
    """An initial stream header (RFC 6120 §4.7). None leaves an attribute out; `attributes` is put in as written."""
    parts = [f"<stream:stream xmlns='{namespace}' xmlns:stream='{STREAM}'"]
    if to is not None:
        parts.append(f"to='{to}'")
    if version is not None:
        parts.append(f"version='{version}'")
    if lang is not None:
        parts.append(f"xml:lang='{lang}'")
    if attributes:
        parts.append(attributes)
    return f"{declaration}{' '.join(parts)}>"
