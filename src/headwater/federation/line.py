"""How bytes reach a node and its answer comes back: all that a library of remote calls has to do."""

from functools import partial
from typing import Protocol

from headwater.errors import HeadwaterError, Message
from headwater.federation import wire
from headwater.federation.round import delivered, naming
from headwater.federation.transport import SourceFault

__all__ = ["Line", "answered", "refused", "said"]

_SAID, _REFUSED = b"+", b"-"


class Line(Protocol):
    """Reaches nodes by name; it may carry several messages at once, each from a thread of its own."""

    def send(self, to: str, message: bytes) -> bytes:
        """Carry the message and return the node's answer; whatever goes wrong on the way is raised."""
        ...


def answered(line: Line, to: str, message: bytes) -> bytes:
    """Return what a node says.

    Raises
    ------
    SourceFault
        when it cannot be reached, breaks down, answers with something else, or refuses: then in its own words
    """
    try:
        answer = delivered(to, partial(line.send, to, message))
        if answer[:1] == _SAID:
            return answer[1:]
        error = naming(to, wire.read(answer[1:], HeadwaterError))
    except HeadwaterError as raised:
        error = raised
    raise SourceFault(error.code, error.reason, error.remedy)


def said(body: bytes) -> bytes:
    """Return a node's answer as it travels."""
    return _SAID + body


def refused(error: HeadwaterError) -> bytes:
    """Return a node's refusal as it travels."""
    told = [text.encode(errors="replace").decode() for text in (error.reason.zh, error.reason.en)]
    # What is refused may be quoted, and may be no text at all.
    return _REFUSED + wire.written(HeadwaterError(error.code, Message(*told), error.remedy))
