"""The contract between the lab and a client's agent: the environment, the commands, the events. Facts only.

The lab writes commands to the agent's standard input, `{"id": 7, "command": "send-message", "to": …, "body": …}`, and
the agent answers each with one event that bears the command's id:

    {"event": "done", "id": 7, …}          it did so; results of the command stand beside
    {"event": "unsupported", "id": 7}      the client cannot do that, or not with these arguments
    {"event": "failed", "id": 7, "reason"} it tried, and the client or the server said no

Besides, it tells whatever the client shows its user, as it comes, in events without an id. The JSON Schemas beside
this file (`command.schema.json`, `event.schema.json`) are made from these tables by `scripts/tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

ENVIRONMENT: dict[str, str] = {
    "XMPP_JID": "the account, a bare JID",
    "XMPP_PASSWORD": "its password",
    "XMPP_HOST": "the address to connect to, whatever the JID's domain resolves to",
    "XMPP_PORT": "the port there",
    "XMPP_TLS": "`starttls` or `direct`",
    "XMPP_CA": "a PEM file with the one certificate authority to trust",
    "XMPP_RESOURCE": "the resource to ask for; absent: the client's or the server's own choice",
}
"""Variable -> what the lab puts into it."""

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_CHAT_STATE: dict[str, Any] = {"enum": ["active", "composing", "paused", "inactive", "gone"]}
_SUBSCRIPTION: dict[str, Any] = {
    "type": "string",
    "description": "none, to, from or both; or what stands there, where a client hands that on",
}


def _objects(needed: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "array", "items": _object(needed, optional or {})}


def _object(needed: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **optional},
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Command:
    """What can be asked of a client. Names -> JSON Schemas of arguments, and of what `done` brings with it."""

    says: str
    needs: Mapping[str, Any] = field(default_factory=dict)
    may_have: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    may_answer: Mapping[str, Any] = field(default_factory=dict)


COMMANDS: dict[str, Command] = {
    "connect": Command(
        "Log in as the environment says, and become available. Done once the server knows of it; `failed` with the "
        "client's own words where it does not come so far (it gives up a wrong certificate, say).",
        answers={"jid": _TEXT},
    ),
    "disconnect": Command("Log out in order: close the stream, then the connection."),
    "send-message": Command(
        "Send a message. `receipt` asks for a delivery receipt (XEP-0184). `sent` is the id that it bore, if known.",
        needs={"to": _TEXT, "body": _TEXT},
        may_have={"type": {"enum": ["chat", "normal", "groupchat"]}, "receipt": _FLAG},
        may_answer={"sent": _TEXT},
    ),
    "correct-message": Command(
        "Correct the last message sent there (XEP-0308). `sent` was that message's id, if known.",
        needs={"to": _TEXT, "body": _TEXT},
        may_have={"sent": _TEXT, "type": {"enum": ["chat", "groupchat"]}},
        may_answer={"sent": _TEXT},
    ),
    "send-chat-state": Command("Tell a chat state (XEP-0085).", needs={"to": _TEXT, "state": _CHAT_STATE}),
    "send-presence": Command(
        "Tell one's own presence; `to` sends it to one alone.",
        may_have={
            "show": {"enum": ["away", "chat", "dnd", "xa"]},
            "status": _TEXT,
            "priority": {"type": "integer", "minimum": -128, "maximum": 127},
            "to": _TEXT,
        },
    ),
    "subscribe": Command("Ask to see somebody's presence.", needs={"jid": _TEXT}),
    "accept": Command("Let somebody see one's own presence, who asked for it.", needs={"jid": _TEXT}),
    "refuse": Command("Refuse it.", needs={"jid": _TEXT}),
    "unsubscribe": Command("See somebody's presence no longer.", needs={"jid": _TEXT}),
    "remove-contact": Command("Take somebody off the roster.", needs={"jid": _TEXT}),
    "roster": Command(
        "What the client shows as its roster now.",
        answers={"contacts": _objects({"jid": _TEXT}, {"name": _TEXT, "subscription": _SUBSCRIPTION})},
    ),
    "discover": Command(
        "Service discovery of an entity (XEP-0030).",
        needs={"jid": _TEXT},
        may_have={"node": _TEXT},
        answers={"features": _TEXTS},
        may_answer={
            "identities": _objects({"category": _TEXT, "type": _TEXT}, {"name": _TEXT}),
        },
    ),
    "features-of": Command(
        "What the client believes an available contact can do, by its presence alone (XEP-0115).",
        needs={"jid": _TEXT},
        answers={"features": _TEXTS},
    ),
    "ping": Command("Ping an entity (XEP-0199).", needs={"jid": _TEXT}),
    "join": Command("Enter a room (XEP-0045).", needs={"room": _TEXT, "nick": _TEXT}),
    "leave": Command("Leave it.", needs={"room": _TEXT}),
    "enable-carbons": Command("Ask for copies of the own account's messages (XEP-0280)."),
    "archive": Command(
        "The last messages of the own archive (XEP-0313), oldest first; `with` those with one contact alone.",
        may_have={"with": _TEXT, "max": {"type": "integer", "minimum": 1}},
        answers={"messages": _objects({"from": _TEXT, "body": _TEXT}, {"id": _TEXT, "stamp": _TEXT})},
    ),
    "publish-nick": Command("Publish a nickname (XEP-0172 over XEP-0163).", needs={"nick": _TEXT}),
}
"""Name -> command. What is not listed here, no client can do: it is answered `unsupported`."""


@dataclass(frozen=True)
class Kind:
    """A kind of event. Names -> JSON Schemas of what it must and may say."""

    says: str
    needs: Mapping[str, Any] = field(default_factory=dict)
    may_have: Mapping[str, Any] = field(default_factory=dict)


ANSWERS: dict[str, Kind] = {
    "done": Kind("The command was carried out.", {"id": {"type": "integer"}}),
    "unsupported": Kind("The client cannot do that.", {"id": {"type": "integer"}}, {"reason": _TEXT}),
    "failed": Kind("It was tried, and did not succeed.", {"id": {"type": "integer"}, "reason": _TEXT}),
}

EVENTS: dict[str, Kind] = {
    "ready": Kind(
        "First of all: the agent reads commands. The client itself has not connected.",
        {"client": _TEXT, "version": _TEXT},
    ),
    "online": Kind("The client is logged in (again).", {"jid": _TEXT}),
    "offline": Kind("It is not any more, and was not asked to leave.", {}, {"reason": _TEXT}),
    "message": Kind(
        "A message is shown to the user, as coming from `from`. `carbon` where it is a copy of one of the own "
        "account's, `stamp` where it is shown as an old one, `corrects` where it takes the place of another.",
        {"from": _TEXT, "body": _TEXT},
        {
            "to": _TEXT,
            "id": _TEXT,
            "type": {"enum": ["chat", "normal", "groupchat", "headline"]},
            "carbon": {"enum": ["sent", "received"]},
            "stamp": _TEXT,
            "corrects": {"type": "string", "description": "the id of the message replaced; empty where unknown"},
        },
    ),
    "receipt": Kind("A message is shown as delivered (XEP-0184).", {"from": _TEXT}, {"sent": _TEXT}),
    "chat-state": Kind("A chat state is shown.", {"from": _TEXT, "state": _CHAT_STATE}),
    "presence": Kind(
        "A contact's or occupant's presence is shown.",
        {"from": _TEXT, "available": _FLAG},
        {"show": _TEXT, "status": _TEXT},
    ),
    "subscription-request": Kind("Somebody asks to see the user's presence.", {"from": _TEXT}),
    "contact": Kind(
        "A contact appeared on the roster that is shown, changed, or went (`remove`).",
        {"jid": _TEXT},
        {"name": _TEXT, "subscription": _SUBSCRIPTION},
    ),
    "nick": Kind("A contact's nickname is shown (XEP-0172).", {"from": _TEXT, "nick": _TEXT}),
    "log": Kind("For whoever debugs the agent; the lab only keeps it.", {"text": _TEXT}),
}
"""Kind -> what an agent may tell without having been asked."""


def command_schema() -> dict[str, Any]:
    """The JSON Schema of a line that the lab writes."""
    commands = [
        {
            "description": command.says,
            **_object(
                {"id": {"type": "integer", "minimum": 1}, "command": {"const": name}, **command.needs},
                command.may_have,
            ),
        }
        for name, command in COMMANDS.items()
    ]
    return {**_HEAD, "title": "A command of the lab to a client's agent", "oneOf": commands}


def event_schema() -> dict[str, Any]:
    """The JSON Schema of a line that an agent writes. What `done` may bring is each command's own."""
    kinds = []
    for name, kind in {**ANSWERS, **EVENTS}.items():
        form = _object({"event": {"const": name}, **kind.needs}, kind.may_have)
        kinds.append({"description": kind.says, **form, "additionalProperties": name == "done"})
    return {**_HEAD, "title": "An event that a client's agent tells the lab", "oneOf": kinds}


_HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


@cache
def _event_validators() -> dict[str, Draft202012Validator]:
    return {
        name: Draft202012Validator(
            {**_object({"event": _TEXT, **kind.needs}, kind.may_have), "additionalProperties": name == "done"}
        )
        for name, kind in {**ANSWERS, **EVENTS}.items()
    }


@cache
def _answer_validator(command: str) -> Draft202012Validator:
    known = COMMANDS[command]
    base = {"event": _TEXT, "id": {"type": "integer"}}
    return Draft202012Validator(_object({**base, **known.answers}, known.may_answer))


def fault_of_event(event: object, command: str | None = None) -> str:
    """What is wrong with an event, in words; empty for a right one. `command` is the one that a `done` answers."""
    if not isinstance(event, dict):
        return "it is no JSON object"
    kind = event.get("event")
    if not isinstance(kind, str) or kind not in _event_validators():
        return f"there is no event {kind!r}"
    validator = _event_validators()[kind]
    if kind == "done" and command in COMMANDS:
        validator = _answer_validator(command)
    fault = next(iter(validator.iter_errors(event)), None)
    return f"{kind}: {fault.message}" if fault else ""
