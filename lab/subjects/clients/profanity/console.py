"""profanity's console window, read line by line off a terminal's screen.

profanity tells nowhere else what stands in its console: no hook, no file. A terminal emulator (pyte) keeps the
screen; a line counts as shown once the screen is still.
"""

from __future__ import annotations

import pyte

ROWS, COLUMNS = 200, 500
TITLE = "Profanity. Type /help for help information."  # the title bar's text, where the console is the window shown
BELOW = 2  # rows for the status bar and the input line


class Console:
    def __init__(self) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._before: list[str] = []

    def paint(self, data: bytes) -> None:
        self._stream.feed(data)

    def painted(self) -> bool:
        """Whether what profanity paints has come to its end: the cursor is in the input line again."""
        return bool(self._screen.cursor.y >= ROWS - 1)

    def new_lines(self) -> list[str]:
        """The lines that came since the last look; none while another window is shown."""
        if not self._row(0).lstrip().startswith(TITLE):
            return []
        now = [self._row(number) for number in range(1, ROWS - BELOW)]
        while now and not now[-1]:
            now.pop()
        new = added(self._before, now)
        self._before = now
        return [line for line in new if line]

    def _row(self, number: int) -> str:
        cells = self._screen.buffer[number]
        return "".join(cells[column].data for column in range(max(cells, default=-1) + 1)).rstrip()


def added(before: list[str], now: list[str]) -> list[str]:
    """What came below: `now` is `before`, less some lines above, and more lines below."""
    for gone in range(len(before) + 1):
        kept = before[gone:]
        if now[: len(kept)] == kept:
            return now[len(kept) :]
    return now
