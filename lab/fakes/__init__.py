"""A small XMPP server in this process, and the ways in which it can misbehave, each with a name.

    with FakeServer() as cell: ...                 obeys RFC 6120 as far as it goes
    with FakeServer("swallows-iq") as cell: ...    does one thing wrong
    MISBEHAVIOURS["swallows-iq"]                   says what, in one sentence

To add a misbehaviour, write a class in one of the modules of misbehaviours (or anywhere that is imported before use):

    class AnswersTwice(Behaviour):
        '''Sends each answer to an iq twice.'''

        def on_reply(self, connection: ClientConnection, xml: str) -> None:
            connection.send(xml + xml)

Its name comes from the class (`answers-twice`), its sentence is the docstring, and `lab.fakes.behaviour` lists the
points where it can differ. tests/fakes/test_misbehaviours.py wants a proof of each: a few lines that show the fault.
"""

from lab.fakes import misbehaviours as misbehaviours  # defining them registers them
from lab.fakes import planted as planted
from lab.fakes import stream_misbehaviours as stream_misbehaviours
from lab.fakes import tls_misbehaviours as tls_misbehaviours
from lab.fakes import web_misbehaviours as web_misbehaviours
from lab.fakes.behaviour import MISBEHAVIOURS, Behaviour
from lab.fakes.server import FakeServer

__all__ = ["MISBEHAVIOURS", "Behaviour", "FakeServer"]
