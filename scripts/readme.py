"""Writes the README's generated tables; with --check, only says whether they are as they should be (exit 1: no)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lab import subjects
from lab.coverage import coverages

README = Path(__file__).parent.parent / "README.md"


def coverage_table() -> str:
    lines = [
        "| provider | checks | sections with MUST or SHOULD | with checks | with a reason for none |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [f"| {c.provider} | {c.checks} | {len(c.lines)} | {c.covered} | {c.reasoned} |" for c in coverages()]
    return "\n".join(lines)


def subjects_table() -> str:
    lines = ["| server | versions (default first) | runs in |", "|---|---|---|"]
    for s in subjects.all_subjects():
        versions = [s.default, *(v for v in s.versions if v != s.default)]
        lines.append(f"| [{s.title}]({s.homepage}) `{s.name}` | {', '.join(versions)} | {', '.join(s.engines)} |")
    return "\n".join(lines)


def rewritten(text: str) -> str:
    for name, table in (("coverage", coverage_table()), ("subjects", subjects_table())):
        pattern = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, rf"\g<1>{table}\n\g<2>", text, flags=re.DOTALL)
    return text


def main() -> int:
    before = README.read_text(encoding="utf-8")
    after = rewritten(before)
    if "--check" in sys.argv:
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
