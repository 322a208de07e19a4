"""Where the bytes of a stream stop being XML in its namespaces: a second, stricter reader beside the stream's own.

libxml2 waits for the end of a tag before it looks into it, and only warns of namespaces; expat does neither, and says
at which byte the fault is, so that nothing behind it is taken for a stanza.
"""

from __future__ import annotations

from xml.parsers import expat


class WellFormed:
    """Reads one stream, from its header on."""

    def __init__(self) -> None:
        # expat refuses a namespace with the separator in it: this one stands in no XML.
        self._parser = expat.ParserCreate("utf-8", namespace_separator="\x1f")
        self._read = 0

    def first_fault(self, data: bytes) -> int | None:
        """At which of these bytes the stream is no longer well-formed; None as long as it may be."""
        skipped = 0
        if not self._read:
            skipped = len(data) - len(data.lstrip())  # a keepalive may stand before the XML declaration
        try:
            self._parser.Parse(data[skipped:], False)
        except expat.ExpatError:
            return max(skipped + self._parser.ErrorByteIndex - self._read, 0)
        self._read += len(data) - skipped
        return None
