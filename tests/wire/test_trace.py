"""The trace: labels that differ, both ways with times, and bounds that say what they cut."""

from __future__ import annotations

from itertools import count

from lab.wire.trace import ENTRIES, ENTRY_BYTES, TRACE_BYTES, Entry, Trace


def test_labels_differ() -> None:
    trace = Trace()
    assert [trace.label(name) for name in ("alice", "bob", "alice", "alice")] == [
        "alice",
        "bob",
        "alice-2",
        "alice-3",
    ]


def test_both_ways_with_times() -> None:
    clock = count(1)
    trace = Trace(clock=lambda: float(next(clock)))
    trace.sent("alice", b"<a/>")
    trace.received("alice", "<b>é</b>".encode())
    trace.note("alice", "over")
    trace.received("alice", b"\xff\x00")
    assert trace.entries == [
        Entry(1.0, "alice", "sent", "<a/>"),
        Entry(2.0, "alice", "received", "<b>é</b>"),
        Entry(3.0, "alice", "note", "over"),
        Entry(4.0, "alice", "received", "\\xff\0"),
    ]


def test_an_entry_is_cut_and_says_so() -> None:
    trace = Trace()
    trace.received("alice", b"x" * (ENTRY_BYTES + 5))
    assert trace.entries[0].text == "x" * ENTRY_BYTES + " … (5 more bytes were not kept)"
    trace.sent("alice", b"y" * ENTRY_BYTES)
    assert trace.entries[1].text == "y" * ENTRY_BYTES


def test_the_whole_is_bounded() -> None:
    trace = Trace()
    for _ in range(2 * TRACE_BYTES // ENTRY_BYTES):
        trace.received("alice", b"x" * ENTRY_BYTES)
    assert sum(e.text.count("x") for e in trace.entries) == TRACE_BYTES
    assert trace.entries[-1].text == f" … ({ENTRY_BYTES} more bytes were not kept)"


def test_a_flood_of_small_entries_is_bounded() -> None:
    trace = Trace()
    for _ in range(2 * ENTRIES):
        trace.received("alice", b"x")
        trace.note("alice", "n")
    assert len(trace.entries) == ENTRIES + 1
    assert trace.entries[-1].text == "the trace is full: no more was kept"
