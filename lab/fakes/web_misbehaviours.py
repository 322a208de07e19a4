"""What the fake server does wrong within HTTP: WebSocket, BOSH, host-meta, files; one rule each, for `make prove`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsproto.events import BytesMessage, Event, Ping, TextMessage

from lab.fakes.behaviour import Behaviour
from lab.fakes.host_meta import HostMeta
from lab.fakes.uploads import Answer, Put, UploadSlot, judged, served
from lab.wire.namespaces import FRAMING, STREAM

if TYPE_CHECKING:
    from lab.fakes.web_connection import WebConnection
    from lab.fakes.websocket_peer import WebSocketPeer

HUNDRED_YEARS = 100 * 365 * 24 * 3600.0

# --- WebSocket


class NoSubprotocol(Behaviour):
    """Accepts a WebSocket without naming a subprotocol."""

    def subprotocol(self, offered: list[str]) -> str | None:
        return ""


class AlwaysSaysXmpp(Behaviour):
    """Names the subprotocol xmpp, whatever was offered to it."""

    def offered(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [*headers, (b"Sec-WebSocket-Protocol", b"xmpp")]


class SpeaksFirst(Behaviour):
    """Sends its <open/> as soon as the WebSocket is there."""

    def on_websocket(self, web: WebSocketPeer) -> None:
        web.send_frame(TextMessage(f"<open xmlns='{FRAMING}' from='{web.web.server.domain}' id='1' version='1.0'/>"))


class BinaryMessages(Behaviour):
    """Sends its elements as binary messages."""

    def frames(self, xml: str) -> list[Event]:
        return [BytesMessage(xml.encode())]


class TwoInAMessage(Behaviour):
    """Sends what it has to say twice, in one message."""

    def frames(self, xml: str) -> list[Event]:
        return [TextMessage(xml + xml if xml.startswith("<message") else xml)]


class WhiteSpaceFirst(Behaviour):
    """Begins each message with a line break."""

    def frames(self, xml: str) -> list[Event]:
        return [TextMessage(f"\n{xml}")]


class XmlDeclarations(Behaviour):
    """Begins each message with an XML declaration."""

    def frames(self, xml: str) -> list[Event]:
        return [TextMessage(f"<?xml version='1.0'?>{xml}")]


class UndeclaredPrefix(Behaviour):
    """Leaves it to a stream that is not there to declare the prefix of stream errors."""

    def frames(self, xml: str) -> list[Event]:
        declared = f' xmlns:stream="{STREAM}"'
        return [TextMessage(xml.replace(declared, "") if xml.startswith("<stream:error") else xml)]


class ReadsAnyEncoding(Behaviour):
    """Goes on when a message is not UTF-8, and answers it."""

    def on_bad_data(self, web: WebSocketPeer, code: int) -> None:
        # The frames of wsproto are over with its error: this one is written by hand (RFC 6455 §5.2).
        answer = b"<message xmlns='jabber:client'/>"
        web.web.write(bytes([0x81, len(answer)]) + answer)


class HangsOnBinaryMessages(Behaviour):
    """Takes binary messages, and says nothing any more."""

    def on_bad_data(self, web: WebSocketPeer, code: int) -> None:
        web.client.ended = True


class NoPong(Behaviour):
    """Does not answer ping frames."""

    def on_ping(self, web: WebSocketPeer, ping: Ping) -> None:
        return


class ServesBeforeOpen(Behaviour):
    """Answers an iq that comes before <open/>."""

    def on_early_element(self, web: WebSocketPeer, xml: str) -> None:
        web.send_frame(TextMessage("<iq xmlns='jabber:client' type='result' id='early'/>"))


class NoCloseFrame(Behaviour):
    """Ends the TCP connection of a WebSocket without a close frame."""

    def finish_websocket(self, web: WebSocketPeer, code: int) -> None:
        web.close_transport()


# --- BOSH


class BoshOtherContentType(Behaviour):
    """Answers requests over BOSH as application/xml."""

    def content_type(self, asked: str) -> str:
        return asked or "application/xml"


class BoshIgnoresContent(Behaviour):
    """Answers as text/xml, whatever media type the client asked for."""

    def content_type(self, asked: str) -> str:
        return "text/xml; charset=utf-8"


class BoshChunked(Behaviour):
    """Answers requests over BOSH with chunked transfer coding."""

    def http_headers(self) -> dict[str, str]:
        return {"Transfer-Encoding": "chunked"}


class BoshHoldsForEver(Behaviour):
    """Holds requests over BOSH until something comes, however long the client wanted to wait."""

    def wait(self, asked: float) -> float:
        return HUNDRED_YEARS

    def hold(self, asked: int) -> int:
        return max(asked, 1)


class BoshNeverHolds(Behaviour):
    """Answers every request over BOSH at once."""

    def hold(self, asked: int) -> int:
        return 0


class BoshAnswersTheLastFirst(Behaviour):
    """Answers the newest of the requests over BOSH, and leaves the older ones waiting."""

    def next_held(self, held: int) -> int:
        return held - 1


class BoshNeverForgets(Behaviour):
    """Keeps sessions over BOSH that nobody asks for any more."""

    def inactivity(self, allowed: float) -> float:
        return HUNDRED_YEARS


class BoshTakesPlainRequests(Behaviour):
    """Serves a request without TLS in a session that began under TLS."""

    def on_plain_request(self, web: WebConnection) -> bool:
        return True


class BoshPlainRequestsTerminate(Behaviour):
    """Ends a session that began under TLS when a request for it comes without."""

    def on_plain_request(self, web: WebConnection) -> bool:
        web.server.bosh.end()
        web.close()
        return False


# --- host-meta


class HostMetaIsNotXrd(Behaviour):
    """Serves a page of HTML in the place of host-meta."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return HostMeta("<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>", "text/html")


class HostMetaWithoutLinks(Behaviour):
    """Serves a host-meta document without a link."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return HostMeta.of({}, as_json=as_json)


class HostMetaInsecureLinks(Behaviour):
    """Tells addresses of ws and http in host-meta."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        insecure = {rel: href.replace("wss:", "ws:").replace("https:", "http:") for rel, href in links.items()}
        return HostMeta.of(insecure, as_json=as_json)


class HostMetaWrongLinks(Behaviour):
    """Tells addresses in host-meta at which nothing is."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return HostMeta.of({rel: f"{href}/nowhere" for rel, href in links.items()}, as_json=as_json)


class NoJsonHostMeta(Behaviour):
    """Has no host-meta.json."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return None if as_json else HostMeta.of(links, as_json=False)


class HostMetaOtherType(Behaviour):
    """Serves host-meta as text/plain."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return replace(HostMeta.of(links, as_json=as_json), content_type="text/plain")


class HostMetaWithoutCors(Behaviour):
    """Does not let scripts of other origins read host-meta."""

    def host_meta(self, links: dict[str, str], *, as_json: bool) -> HostMeta | None:
        return replace(HostMeta.of(links, as_json=as_json), headers={})


# --- uploads


class UploadTakesAnySize(Behaviour):
    """Takes files of another size than their slot was asked for."""

    def takes_upload(self, slot: UploadSlot | None, put: Put) -> int:
        status = judged(slot, put)
        return 201 if status == 413 else status


class UploadTakesAnyType(Behaviour):
    """Takes files of another media type than their slot was asked for."""

    def takes_upload(self, slot: UploadSlot | None, put: Put) -> int:
        status = judged(slot, put)
        return 201 if status == 415 else status


class UploadTakesAnyAddress(Behaviour):
    """Takes files for addresses that nobody was given."""

    def takes_upload(self, slot: UploadSlot | None, put: Put) -> int:
        return 201 if slot is None else judged(slot, put)


class UploadTakesAnyHeaders(Behaviour):
    """Takes files whoever sends them, with the headers of another slot, or none."""

    def takes_upload(self, slot: UploadSlot | None, put: Put) -> int:
        return judged(slot, replace(put, authorization=slot.token) if slot else put)


class UploadTakesMore(Behaviour):
    """Takes a second file for a slot, and puts it behind the first."""

    def takes_upload(self, slot: UploadSlot | None, put: Put) -> int:
        status = judged(slot, put)
        return 201 if status == 409 else status

    def kept_upload(self, slot: UploadSlot, content: bytes) -> bytes:
        return (slot.content or b"") + content


class UploadSpoilsFiles(Behaviour):
    """Serves files that end in another byte than what was uploaded."""

    def kept_upload(self, slot: UploadSlot, content: bytes) -> bytes:
        return content[:-1] + b"?" if content else content


class UploadServesEmptyFiles(Behaviour):
    """Serves an empty file for a slot to which nothing was put."""

    def served_upload(self, slot: UploadSlot | None) -> Answer:
        return Answer(200) if slot and slot.content is None else served(slot)


class UploadServesOnce(Behaviour):
    """Serves each file once, and forgets it."""

    def served_upload(self, slot: UploadSlot | None) -> Answer:
        answer = served(slot)
        if slot:
            slot.content = None
        return answer


class UploadWithoutCors(Behaviour):
    """Does not let scripts of other origins put or get files."""

    def upload_headers(self) -> dict[str, str]:
        return {}
