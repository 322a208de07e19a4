"""RFC 6121 §8.5 as data: what becomes of a message, by who is there, to whom it is addressed, and its type.

    D  delivered to the resource (the addressed one, or the only one that takes messages), and to no other
    M  delivered to one or several of the resources that take messages      A  to all of them
    O  kept for later      E  answered by an error      S  neither, and forgotten

A resource takes messages where its priority is not negative. What §8.5.4 sums up is held against the sections in
words: where they differ, either is right, as the notes say.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPES = ("normal", "chat", "groupchat", "headline", "error")

PRESENT: dict[str, tuple[int | None, ...] | None] = {
    "no-account": None,
    "nobody": (),
    "connected": (None,),
    "negative": (-1,),
    "one": (0,),
    "several": (5, 1, -1),
}
"""Who is there: the priorities of the account's resources, the addressed one first; None is one without presence."""

# no-account: the table has E for groupchat and S for headline to a bare JID; §8.5.1 lets any message be S or E.
# nobody: §8.5.2.2 and §8.5.3.2 say the same as the table. An error is never answered nor kept.
# negative, normal and chat: what §8.5.2.1.1 and §8.5.3.2.1 say of them is no more than a SHOULD.
# several, chat to a full JID: the table also has A, for resources that asked for all messages.
_TABLE = """
                        normal  chat  groupchat  headline  error
no-account  bare        SE      SE    SE         SE        S
no-account  full        SE      SE    SE         SE        S
nobody      bare        OE      OE    E          S         S
nobody      full        SE      OE    SE         SE        S
connected   match       D       D     D          D         D
negative    bare        OE      OE    E          S         S
negative    match       D       D     D          D         D
negative    full        SE      OE    SE         SE        S
one         bare        D       D     E          D         S
one         match       D       D     D          D         D
one         full        SE      D     SE         SE        S
several     bare        MA      MA    E          A         S
several     match       D       DA    D          D         D
several     full        SE      MA    SE         SE        S
"""

_SECTIONS = {
    "no-account": ("8.5.1",),
    "nobody:bare": ("8.5.2.2.1",),
    "match": ("8.5.3.1",),
    "full": ("8.5.3.2.1",),
    "negative:bare": ("8.5.2.1.1", "8.5.2.2.1"),
    "bare": ("8.5.2.1.1",),
}
_SHOULD = {("negative", to, kind) for to in ("bare", "full") for kind in ("normal", "chat")} | {
    ("nobody", "bare", kind) for kind in ("normal", "chat")
}
# §8.5.3.2.1 has a MUST for a normal message, but RFC 6120 §10.5.4 has it that what is sent to a full JID that nobody
# has SHOULD be treated as if it were sent to the bare one: who follows that breaks no more than a SHOULD.
_SHOULD |= {(present, "full", "normal") for present in ("nobody", "negative", "one", "several")}


@dataclass(frozen=True)
class Rule:
    """One cell of the table: `allowed` are letters, any of which is right. `absolute`: a MUST, and no SHOULD."""

    present: str
    to: str
    kind: str
    allowed: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.to}:{self.present}"

    @property
    def absolute(self) -> bool:
        return (self.present, self.to, self.kind) not in _SHOULD

    @property
    def sections(self) -> tuple[str, ...]:
        keys = (self.present, f"{self.present}:{self.to}", self.to)
        where = next(_SECTIONS[key] for key in keys if key in _SECTIONS)
        return (*where, "8.5.4") if self.absolute else (*where, "8.5.4", "12")


def _rules() -> tuple[Rule, ...]:
    _, *rows = _TABLE.strip("\n").splitlines()
    found = []
    for row in rows:
        present, to, *cells = row.split()
        found += [Rule(present, to, kind, allowed) for kind, allowed in zip(TYPES, cells, strict=True)]
    return tuple(found)


RULES = _rules()

SPOKEN = {
    "D": "delivered to that resource alone",
    "M": "delivered to a resource that takes messages",
    "A": "delivered to all resources that take messages",
    "O": "kept for later",
    "E": "answered by an error",
    "S": "ignored",
}
ADDRESSED = {"bare": "the account", "match": "a resource that is there", "full": "a resource that is not there"}
WHO = {
    "no-account": "of nobody",
    "nobody": "while nobody is there",
    "connected": "that has sent no presence",
    "negative": "while one of negative priority is there",
    "one": "while one is there",
    "several": "while several are there",
}


def spoken(rule: Rule) -> str:
    """The requirement in words."""
    what = " or ".join(SPOKEN[letter] for letter in rule.allowed)
    return f"A message of type {rule.kind} to {ADDRESSED[rule.to]}, {WHO[rule.present]}, is {what}."
