"""Damages to what a client's agent tells, and to what the tap knows of a login: field by field, for `make prove`.

Those of stanzas and streams stand in `lab.plugin.damage`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

from lab.plugin.damage import STRANGER, WRONG_NAMESPACE
from lab.tap.greeting import Arrival
from lab.wire.namespaces import XML_LANG

Told = dict[str, Any]
_THE_OTHER = {
    "type": ("chat", "normal"),
    "state": ("composing", "paused"),
    "subscription": ("both", "none"),
    "carbon": ("sent", "received"),
}
_ADDRESSES = {"from", "to", "jid"}


def of_told(event: Told, *, answer: bool) -> dict[str, list[Told]]:
    """Damages to an event, or to what an answer brings with it: name -> what is told instead.

    An answer always comes, as the contract has it: its fields alone can be wrong.
    """
    made: dict[str, list[Told]] = {} if answer else {"dropped": [], "duplicated": [event, deepcopy(event)]}
    for name, value in event.items():
        if name in {"event", "id"} and (answer or name == "event"):
            continue
        if isinstance(value, list):
            made |= {what: [{**event, name: items}] for what, items in _of_list(name, value).items()}
        else:
            made[f"{name} changed"] = [{**event, name: _wrong(name, value)}]
    return made


def _of_list(name: str, items: list[Any]) -> dict[str, list[Any]]:
    if not items:
        return {}
    made: dict[str, list[Any]] = {f"{name} emptied": []}
    if all(isinstance(item, dict) for item in items):
        made |= {
            f"{key} of {name} changed": [
                {**item, key: _wrong(key, item[key])} if key in item else item for item in items
            ]
            for key in {key: None for item in items for key in item}
        }
        if len(items) > 1:
            made[f"{name} turned round"] = items[::-1]
    return made


def _wrong(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if name in _THE_OTHER:
        one, other = _THE_OTHER[name]
        return other if value == one else one
    return STRANGER if name in _ADDRESSES else f"damaged {value}"


# --- what the tap knows of a login

_HEADER_DAMAGES: Mapping[str, Callable[[str | None], str | None]] = {
    "to": lambda _: "stranger.invalid",
    "from": lambda _: STRANGER,
    "version": lambda _: "0.9",
    XML_LANG: lambda value: None if value else "en",
}


def of_login(arrival: Arrival, name: str) -> dict[str, Arrival]:
    """Damages to one fact of a login: what is wrong -> the login as it is told then."""
    return {what: _with(arrival, name, wrong) for what, wrong in _wrong_facts(name, getattr(arrival, name)).items()}


def _wrong_facts(name: str, value: Any) -> dict[str, Any]:
    match name:
        case "headers":
            return _wrong_headers(value)
        case "namespaces" if value:
            *before, last = value
            return {
                "namespaces of a header changed": [*before, dict.fromkeys(last, WRONG_NAMESPACE)],
                "one more namespace of a header": [*before, {**last, "more": WRONG_NAMESPACE}],
            }
        case "tried":
            return {
                "a login by PLAIN in clear, besides": [("PLAIN", False), *value],
                "logins over TLS, besides": [*value, *[("SCRAM-SHA-1", True)] * 5],
                "no login": [],
            }
        case "acts_as":
            return {"acts as somebody else": ["mallory" for _ in value]}
    if isinstance(value, bool):
        return {f"{not value}": not value}
    return {"changed": f"not {value}" if value else "stranger.invalid"}


def _wrong_headers(headers: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    if not headers:
        return {}
    *before, last = headers
    made = {"the last one dropped": before}
    if len(headers) > 2:
        made["all but the first dropped"] = headers[:1]
    for attribute, change in _HEADER_DAMAGES.items():
        wrong = {key: value for key, value in last.items() if key != attribute}
        if (value := change(last.get(attribute))) is not None:
            wrong[attribute] = value
        made[f"{attribute.rpartition('}')[2]} changed"] = [*before, wrong]
    made["lang is no language"] = [*before, {**last, XML_LANG: "no_language"}]
    return made


def _with(arrival: Arrival, name: str, value: Any) -> Arrival:
    changes: dict[str, Any] = {name: value}
    return replace(arrival, **changes)


LOGIN_FACTS = tuple(field.name for field in fields(Arrival))
