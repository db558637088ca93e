"""Ask all members of a phase at once, and wait for none of them longer than a deadline."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeAlias

from headwater.errors import HeadwaterError, Message
from headwater.federation.transport import SourceFault

__all__ = ["AtOnce"]

_LOOK_S = 0.05
"""How often the clock is looked at while nobody answers."""

_Said: TypeAlias = tuple[str, bytes | BaseException]


@dataclass(frozen=True)
class AtOnce:
    """A way of asking for ``play``: a thread a member, which waits for its node and does no work of its own.

    Whoever has not answered ``seconds`` after the phase began is late, and lost from then on; what it still says is
    heard by nobody. What a member itself refuses passes through, as when members are asked in turn.
    """

    seconds: float
    clock: Callable[[], float] = monotonic

    def __call__(self, asked: Mapping[str, Callable[[], bytes]]) -> Iterator[tuple[str, bytes | HeadwaterError]]:
        """Yield answers and faults in the order in which they come."""
        end = self.clock() + self.seconds
        heard: SimpleQueue[_Said] = SimpleQueue()
        for name, ask in asked.items():
            # A thread that waits for a silent node for ever must not keep the process from ending.
            threading.Thread(target=partial(_ask, name, ask, heard), daemon=True).start()
        waiting = set(asked)
        while waiting:
            try:
                name, said = heard.get(timeout=_LOOK_S)
            except Empty:
                if self.clock() < end:
                    continue
                yield from ((name, _late(name, self.seconds)) for name in sorted(waiting))
                return
            waiting.discard(name)
            if isinstance(said, BaseException) and not isinstance(said, SourceFault):
                raise said
            yield name, said


def _ask(name: str, ask: Callable[[], bytes], heard: SimpleQueue[_Said]) -> None:
    try:
        heard.put((name, ask()))
    except SourceFault as fault:
        # Frames would hold on to every vector of the round.
        heard.put((name, fault.with_traceback(None)))
    except BaseException as error:  # noqa: BLE001  # raised again by whoever plays
        heard.put((name, error))


def _late(name: str, seconds: float) -> SourceFault:
    return SourceFault(
        "E-MEMBER-LATE",
        Message(
            f"成员“{name}”在 {seconds:g} 秒内没有回答。", f"The member {name!r} did not answer within {seconds:g} s."
        ),
        Message("该成员可参加下一轮；请查看其网络与负载。", "It can join the next round; see to its network and load."),
    )
