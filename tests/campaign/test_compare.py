"""The same stanzas to several fakes: those that behave alike answer alike, a fault of one is one cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from generators.allowed import ANSWERED
from generators.malformations import OPERATORS
from generators.source import RandomSource
from generators.stanza import Scene
from generators.stanzas import Generator
from lab.accounts import FRUITLESS, Comeback
from lab.campaign.answers import Answer
from lab.campaign.batch import Item
from lab.campaign.clusters import GOES_ON, Example, Group, Status, clustered, what
from lab.campaign.compare import Bounds, Comparison, Outcome, Player
from lab.campaign.differences import CANDIDATES, Candidate, Inquiry, Key, Suspicion, in_order
from lab.campaign.maker import drawn
from lab.campaign.template import Template
from lab.campaign.troupe import alike
from lab.cell import Cell
from lab.compare import servers_of
from lab.errors import UsageError
from lab.fakes import FakeServer
from lab.wire.namespaces import PING, VERSION
from schemas.payloads import Addressee
from schemas.robustness import Trial, trial

STANZALAB = str(Path(sys.executable).parent / "stanzalab")
SEED = 5
UNAVAILABLE = "error service-unavailable (cancel)"


class Quiet:
    """Counts what it is told, and interrupts, like Ctrl-C, when so many stanzas were sent."""

    def __init__(self, until: int = 10**9) -> None:
        self.until = until
        self.told = 0

    def comparing(self, sent: int, of: int, differences: int, doing: str) -> None:
        assert 0 <= sent <= of
        assert differences >= 0
        assert doing
        self.told += 1
        if sent >= self.until:
            raise KeyboardInterrupt


def compared(
    misbehaviours: Sequence[str],
    trials: Sequence[Trial],
    stanzas: int,
    *,
    without: str = "",
    until: int = 10**9,
    seconds: float = 60.0,
) -> Outcome:
    """A comparison of fakes; the last one has no `without` endpoint."""
    with ExitStack() as stack:
        cells = [stack.enter_context(FakeServer(name, patience=0.7)) for name in misbehaviours]
        cells[-1] = _without(cells[-1], without)
        players = [Player(f"{number}", cell, Comeback(fruitless=FRUITLESS)) for number, cell in enumerate(cells)]
        return Comparison(players, trials, SEED, Bounds(stanzas, seconds), Quiet(until)).run()


def _without(cell: Cell, transport: str) -> Cell:
    return replace(cell, endpoints={k: v for k, v in cell.endpoints.items() if k != transport})


def only(provider: str, *to: Addressee) -> Trial:
    """A provider's stanzas to some addressees."""
    uses = tuple(
        (payload, replace(use, to=tuple(a for a in use.to if a in to)))
        for payload, use in trial(provider).uses
        if set(to) & set(use.to)
    )
    return Trial(provider, uses)


def test_servers_that_behave_alike_answer_alike() -> None:
    made = compared(["", ""], [trial("XEP-0199"), trial("XEP-0085")], 150)
    assert made.sent == 150
    assert min(made.valid, made.malformed) > 30
    assert (made.alike, made.unknown, made.uneven) == (150, 0, 0)
    assert made.clusters == ()
    assert not made.stopped


def test_a_fault_of_one_is_one_cluster_with_a_short_example() -> None:
    made = compared(["", "answers-version-twice", ""], [only("XEP-0092", Addressee.SERVER)], 80)
    sure = [cluster for cluster in made.clusters if cluster.status is Status.ALONE]
    (twice,) = [c for c in sure if c.answers == (UNAVAILABLE, f"{UNAVAILABLE}, twice", UNAVAILABLE)]
    assert twice.example.text == f"<iq type='get' id='{{{{id}}}}' to='{{{{domain}}}}'><query xmlns='{VERSION}'/></iq>"
    assert twice.groups[0].what == "jabber:iq:version <query/> in iq get to server"
    assert twice.count > 10
    assert made.alike + sum(cluster.count for cluster in made.clusters) + made.unknown == made.sent
    # Whatever else differs, differs in being told twice.
    assert all("twice" in "".join(c.answers) or "times" in "".join(c.answers) for c in sure)


def test_what_reaches_others_and_what_bears_another_id_is_told() -> None:
    leaks = compared(["", "leaks-headlines"], [only("RFC 6121", Addressee.CONTACT)], 120)
    assert ("delivered", "delivered, then delivered to a bystander") in {c.answers for c in leaks.clusters}
    wrong = compared(["", "wrong-id-to-own-ping"], [only("XEP-0199", Addressee.ACCOUNT)], 10)
    (cluster,) = [c for c in wrong.clusters if not c.groups[0].operator]
    assert cluster.answers == ("result", "a reply with another id")
    assert cluster.example.text == f"<iq type='get' id='{{{{id}}}}'><ping xmlns='{PING}'/></iq>"


def test_the_same_seed_finds_the_same() -> None:
    first, second = (
        [
            (c.answers, c.count, c.example.text)
            for c in compared(["", "answers-version-twice"], [only("XEP-0092", Addressee.SERVER)], 40).clusters
        ]
        for _ in range(2)
    )
    assert first == second


def test_what_not_all_of_them_have_is_left_out_and_said() -> None:
    made = compared(["", ""], [trial("XEP-0114"), trial("XEP-0199")], 20, without="component")
    assert made.skipped == ("XEP-0114: no component port in the cell of 1",)
    assert made.sent == 20
    nothing = compared(["", ""], [trial("XEP-0114")], 20, without="component")
    assert nothing.sent == 0
    assert len(nothing.skipped) == 1


def test_ctrl_c_keeps_what_was_found_as_unchecked() -> None:
    made = compared(["", "answers-version-twice"], [only("XEP-0092", Addressee.SERVER)], 200, until=40)
    assert made.interrupted
    assert made.sent < 200
    assert made.clusters
    assert {cluster.status for cluster in made.clusters} == {Status.UNCHECKED}


def test_no_time_is_no_comparison_and_a_server_that_takes_no_session_ends_it() -> None:
    assert compared(["", ""], [trial("XEP-0199")], 20, seconds=0.0).sent == 0
    with FakeServer(patience=0.7) as cell:
        pass
    players = [Player(name, cell, Comeback(fruitless=FRUITLESS)) for name in "ab"]
    made = Comparison(players, [trial("XEP-0199")], SEED, Bounds(20, 30.0), Quiet()).run()
    assert made.sent == 0
    assert "no session can be opened any more" in made.stopped


# --- clusters, from facts alone

SCENE = Scene("a@lab.test/r", "lab.test", {Addressee.SERVER: ("lab.test",), Addressee.CONTACT: ("b@lab.test/r",)})


def item(operator: str = "", identifier: str = "i1") -> Item:
    generator = Generator(only("XEP-0199", Addressee.SERVER).uses, SCENE)
    made = drawn(generator, OPERATORS[operator] if operator else None, RandomSource(1), SCENE, identifier)
    assert made is not None
    return made


def example(made: Item, *kinds: str, ends: Sequence[bool] = (False, False)) -> Example:
    return Example(Template.of(made, SCENE), tuple(Answer(k, ends=e) for k, e in zip(kinds, ends, strict=True)))


def test_clusters_are_made_of_answers_first_and_the_sure_ones_come_first() -> None:
    ping, comment = item(), item("comment")
    groups = [
        (Status.SEQUENCE, Group("often", "", "", 50, example(ping, "silence", "result"))),
        (Status.ALONE, Group("ping", "", "", 2, example(ping, "result", "silence"))),
        (Status.ALONE, Group("comment", "", "comment", 3, example(comment, "result", "silence"))),
        (Status.ALONE, Group("comment", "", "comment", 4, example(ping, "result", "silence"))),
        (Status.ALONE, Group("one", "", "", 1, example(ping, "silence", "result"))),
    ]
    first, second, third = clustered(groups)
    assert (first.answers, first.count, first.status) == (("result", "silence"), 9, Status.ALONE)
    assert [(group.what, group.count) for group in first.groups] == [("comment", 7), ("ping", 2)]
    assert first.example.text == Template.of(ping, SCENE).text
    assert (second.count, third.count, third.status) == (1, 50, Status.SEQUENCE)
    assert first.as_json(("x", "y"))["answers"] == {"x": "result", "y": "silence"}


def test_a_summary_adds_up_what_one_operator_made() -> None:
    ping = example(item(), "a", "b")
    (cluster,) = clustered(
        (Status.ALONE, Group(name, "", operator, count, ping))
        for name, operator, count in (
            ("x to server", "x", 2),
            ("x to room", "x", 3),
            ("ping", "", 4),
            ("y to room", "y", 1),
        )
    )
    assert cluster.summary() == [("x", 5), ("ping", 4), ("y to room", 1)]


def test_where_one_ends_the_stream_it_does_not_matter_what_the_other_answers() -> None:
    ended = [
        (
            Status.ALONE,
            Group(kind, "", "", 1, example(item(), "stream error not-well-formed", kind, ends=(True, False))),
        )
        for kind in ("result", "silence", "delivered")
    ]
    (cluster,) = clustered(ended)
    assert cluster.answers == ("stream error not-well-formed", GOES_ON)
    assert cluster.count == 3
    # What each did is kept with each.
    assert [group.as_json(("x", "y"))["example"]["answers"]["y"] for group in cluster.groups] == [
        "delivered",
        "result",
        "silence",
    ]


def test_what_is_sent_is_told_as_far_as_it_matters() -> None:
    assert what(item()) == "xmpp:ping <ping/> in iq get to server"
    assert what(item("comment")) == "comment"
    assert what(item("iq-without-type")) == "iq-without-type in iq get to server"
    assert what(item("unknown-child")) == "unknown-child in xmpp:ping <ping/> in iq get to server"


def test_scenes_are_made_alike() -> None:
    more = replace(SCENE, addresses={**SCENE.addresses, Addressee.ROOM: ("r@x",), Addressee.CONTACT: ("b/1", "b")})
    less = replace(SCENE, addresses={Addressee.CONTACT: ("c",), Addressee.MUC: ("muc",)})
    first, second = alike([more, less])
    assert first.addresses == {Addressee.CONTACT: ("b/1",)}
    assert second.addresses == {Addressee.CONTACT: ("c",)}


# --- sending alone, with nobody to send to

DIFFERENT = ("result", "silence")


def suspicion(*items: Item) -> Suspicion:
    made = Suspicion(what(items[0]))
    for each in items:
        made.add(Candidate(each, example(each, *DIFFERENT), trial("XEP-0199")))
    return made


def test_what_is_answered_alike_alone_was_in_a_sequence() -> None:
    inquiry = Inquiry(lambda sent, _: example(sent, "result", "result"))
    status, group = inquiry.check(suspicion(item(), item(identifier="i2")), (DIFFERENT, "ping"))
    assert (status, group.count, group.example.kinds) == (Status.SEQUENCE, 2, DIFFERENT)
    assert inquiry.sent == 2


def test_other_answers_alone_count_if_they_come_twice() -> None:
    steady = Inquiry(lambda sent, _: example(sent, "silence", "result"))
    status, group = steady.check(suspicion(item()), (DIFFERENT, "ping"))
    assert (status, group.example.kinds) == (Status.ALONE, ("silence", "result"))
    answers = iter([("silence", "result"), ("delivered", "result")])
    moody = Inquiry(lambda sent, _: example(sent, *next(answers)))
    assert moody.check(suspicion(item()), (DIFFERENT, "ping"))[0] is Status.SEQUENCE


def test_what_the_valid_stanza_shows_too_is_no_fault_of_the_malformation() -> None:
    inquiry = Inquiry(lambda sent, _: example(sent, *DIFFERENT))
    status, group = inquiry.check(suspicion(item("iq-without-type")), (DIFFERENT, "x"))
    assert (status, group.what, group.operator) == (Status.ALONE, what(item()), "")
    assert inquiry.sent == 2
    # And then that is known.
    assert inquiry.check(suspicion(item("comment")), (DIFFERENT, "y"))[1].what == what(item())
    assert inquiry.sent == 2


def test_what_only_the_malformed_stanza_shows_is() -> None:
    inquiry = Inquiry(lambda sent, _: example(sent, *(DIFFERENT if sent.malformed else ("result", "result"))))
    status, group = inquiry.check(suspicion(item("comment")), (DIFFERENT, "x"))
    assert (status, group.what, group.operator) == (Status.ALONE, "comment", "comment")


def test_answers_that_cannot_be_told_leave_it_unchecked() -> None:
    status, group = Inquiry(lambda *_: None).check(suspicion(item()), (DIFFERENT, "ping"))
    assert (status, group.count) == (Status.UNCHECKED, 1)


def test_a_suspicion_keeps_the_shortest() -> None:
    many = [item(identifier="i")._replace(choices=(n,)) for n in range(9)]
    assert len(suspicion(*many).candidates) == CANDIDATES
    assert suspicion(*many).count == 9


def test_one_of_each_set_of_answers_comes_first_and_valid_before_malformed() -> None:
    valid, malformed = suspicion(item()), suspicion(item("comment"), item("comment"))
    keys: dict[Key, Suspicion] = {(DIFFERENT, "m"): malformed, (DIFFERENT, "v"): valid, (("a", "b"), "m"): malformed}
    assert in_order(keys) == [(DIFFERENT, "v"), (("a", "b"), "m"), (DIFFERENT, "m")]


def test_requests_are_answered_in_the_scenes_of_these_tests() -> None:
    assert item().allowed == ANSWERED


# --- the command


def test_servers_are_named_apart() -> None:
    assert [s.name for s in servers_of(["prosody,ejabberd"])] == ["prosody", "ejabberd"]
    assert [s.name for s in servers_of(["prosody:0.12", "prosody"])] == ["prosody:0.12", "prosody:13.0"]
    assert [s.name for s in servers_of(["pyjabber,pyjabber"])][1].endswith(" (2)")
    for words in (["prosody"], [], ["prosody,"], ["prosody,ejaberd"]):
        with pytest.raises(UsageError):
            servers_of(words)


def test_the_command_leaves_a_file_and_is_content_with_differences(tmp_path: Path) -> None:
    cells = []
    with ExitStack() as stack:
        for name in ("", "answers-version-twice"):
            folder = tmp_path / (name or "good")
            folder.mkdir()
            stack.enter_context(FakeServer(name, run_dir=folder, patience=0.7))
            cells.append(str(folder / "cell.json"))
        words = ["compare", "--servers", ",".join(cells), "--provider", "XEP-0092", "--stanzas", "20", "--seed", "5"]
        done = subprocess.run(
            [STANZALAB, *words, "--out", "out"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )
    assert done.returncode == 0, done.stderr
    assert "fake-answers-version-twice  " in done.stdout
    assert f"{UNAVAILABLE}, twice" in done.stdout
    assert "20 stanzas" in done.stdout
    said = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [server["name"] for server in said["servers"]] == ["fake-server", "fake-answers-version-twice"]
    assert (said["seed"], said["valid"] + said["malformed"]) == (5, 20)
    assert said["clusters"][0]["groups"][0]["example"]["came"]["fake-server"].startswith("<iq")
