"""host-meta of the fake server (XEP-0156): where its WebSocket and its BOSH are, as XRD or JRD."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from lab.wire.namespaces import XRD

CORS = {"Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True)
class HostMeta:
    """A document, and the headers that it is served with."""

    body: str
    content_type: str
    headers: dict[str, str] = field(default_factory=lambda: dict(CORS))

    @classmethod
    def of(cls, links: dict[str, str], *, as_json: bool) -> HostMeta:
        """The document that tells of `links`: relation -> address."""
        if as_json:
            told = [{"rel": relation, "href": href} for relation, href in links.items()]
            return cls(json.dumps({"links": told}), "application/json")
        written = "".join(f"<Link rel={quoteattr(rel)} href={quoteattr(href)}/>" for rel, href in links.items())
        return cls(f"<?xml version='1.0' encoding='utf-8'?><XRD xmlns='{XRD}'>{written}</XRD>", "application/xrd+xml")
