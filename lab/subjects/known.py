"""Known failures: what `known.toml` in a subject's folder lists. Whether one occurred is not judged here.

```toml
[[known]]
check = "xep-0280/sent-message-is-copied"
outcome = "fail"             # or non-strict, crash, unsupported, impossible
reason = "why we believe that it is the subject's fault"
versions = ["0.12"]          # optional: all versions otherwise
link = "https://…"           # optional: the subject's own issue
flaky = true                 # optional: sometimes it passes
```
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import UsageError
from lab.subjects.model import Subject
from lab.subjects.subject_file import Table, load_toml

FILE_NAME = "known.toml"
_OUTCOMES = ("fail", "non-strict", "crash", "unsupported", "impossible")


@dataclass(frozen=True)
class Known:
    """A failure that is expected of a subject, and why. No `versions` means all of them."""

    check: str
    outcome: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""
    flaky: bool = False


def known(subject: Subject) -> tuple[Known, ...]:
    """What is known to fail in the subject's version; empty without a `known.toml`.

    Raises UsageError for an entry without a reason, of an unknown version or outcome, or listed twice.
    """
    file = subject.folder / FILE_NAME
    if not file.exists():
        return ()
    top = Table(load_toml(file), file)
    listed = [_entry(top, number, data, subject) for number, data in enumerate(top.take("known", list, []), 1)]
    top.done()
    here = [entry for entry in listed if not entry.versions or subject.version in entry.versions]
    seen: set[str] = set()
    for entry in here:
        if entry.check in seen:
            raise UsageError(f"{file}: {entry.check} is listed twice for {subject.name}:{subject.version}")
        seen.add(entry.check)
    return tuple(here)


def _entry(top: Table, number: int, data: object, subject: Subject) -> Known:
    table = Table(data, top.file, f"known {number}")
    entry = Known(
        check=table.take("check", str),
        outcome=table.choice("outcome", _OUTCOMES),
        reason=table.take("reason", str),
        versions=table.strings("versions"),
        link=table.take("link", str, ""),
        flaky=table.take("flaky", bool, False),
    )
    table.done()
    if not entry.reason.strip():
        raise table.error("is empty", "reason")
    unknown = set(entry.versions) - set(subject.versions)
    if unknown:
        raise table.error(f"names {', '.join(sorted(unknown))}", "versions", subject.versions)
    return entry
