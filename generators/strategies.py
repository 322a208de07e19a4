"""Hypothesis strategies over the same walk, for tests of one's own: what fails is shrunk."""

from __future__ import annotations

from hypothesis import strategies as st

from generators import walk
from generators.shapes import ElementShape
from generators.source import HypothesisSource
from generators.stanza import Scene, Stanza
from generators.stanzas import Generator


def stanzas(generator: Generator, id_: str = "a") -> st.SearchStrategy[Stanza]:
    """Valid stanzas of a generator, all with the same id.

    Each choice of the walk is one of Hypothesis's: the same walk as in a campaign, only slower, and it shrinks.

        @given(stanzas(Generator(client_uses(["XEP-0030"]), scene)))
        def test_my_server(stanza): ...
    """

    @st.composite
    def drawn(draw: st.DrawFn) -> Stanza:
        return generator.draw(HypothesisSource(draw), id_)

    return drawn()


def elements(shape: ElementShape, scene: Scene) -> st.SearchStrategy[str]:
    """The text of valid elements of a shape (`generators.compiler.shape_of`), with the addresses of a scene."""

    @st.composite
    def drawn(draw: st.DrawFn) -> str:
        return walk.draw(shape, HypothesisSource(draw), scene)

    return drawn()
