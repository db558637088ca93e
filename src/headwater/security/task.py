"""What a node is asked to do, signed: for what, in which round and phase, until when, and the digest of what is asked.

Identities live here and not with the question, for a question says nothing of who may ask it.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from headwater.errors import Message, Refusal
from headwater.federation import wire
from headwater.federation.wire import travels
from headwater.security.desk import SEAL_BYTES
from headwater.security.identity import Identity, signed_by

__all__ = ["Task", "digest", "opened", "other_words"]

_DOMAIN = b"headwater task"


@travels("task")
@dataclass(frozen=True)
class Task:
    """One request to one node.

    Parameters
    ----------
    node : to whom
    purpose : as requirements call it
    run : of which joint run
    round_id : of the group, never used for anything else
    phase : of the protection
    expires : seconds since 1970 (UTC) after which it is not done any more
    pact : digest of the group's pact
    asked : SHA-256 of all that is asked
    """

    node: str
    purpose: str
    run: str
    round_id: str
    phase: int
    expires: int
    pact: bytes
    asked: bytes

    def sealed(self, identity: Identity) -> bytes:
        """Return the task with the signature of whoever asks."""
        text = wire.written(self)
        return identity.sign(_DOMAIN, text) + text


def digest(asked: bytes) -> bytes:
    """Return what a task says of what it asks."""
    return hashlib.sha256(asked).digest()


def opened(sealed: bytes, asked: bytes, *, node: str, key: bytes, purposes: Collection[str], now: float) -> Task:
    """Return a task that a node may do, as far as can be told without knowing what it did before.

    Parameters
    ----------
    asked : what came with it
    key : Ed25519 public key of who may ask
    purposes : those that the node agreed to

    Raises
    ------
    Refusal
        ``E-TASK-SIGNATURE``, ``E-TASK-NODE``, ``E-TASK-EXPIRED``, ``E-TASK-PURPOSE``, ``E-TASK-ASKED``
    """
    text = sealed[SEAL_BYTES:]
    if not signed_by(key, sealed[:SEAL_BYTES], _DOMAIN, text):
        raise _refused("SIGNATURE", "任务不是约定的一方签署的", "the task was not signed by who may ask")
    task = wire.read(text, Task)
    if task.node != node:
        raise _refused("NODE", f"任务是给“{task.node}”的", f"the task is for {task.node!r}")
    if now > task.expires:
        raise _refused("EXPIRED", "任务已过期", "the task is past its time")
    if task.purpose not in purposes:
        raise _refused("PURPOSE", f"未同意用途“{task.purpose}”", f"nobody here agreed to the purpose {task.purpose!r}")
    if task.asked != digest(asked):
        raise _refused("ASKED", "所附内容不是签署的内容", "what came with the task is not what was signed")
    return task


def other_words(round_id: str) -> Refusal:
    """Refuse, in a round that is known, something else than was asked in it."""
    return _refused(
        "TWICE",
        f"轮次“{round_id}”此前问的是别的内容",
        f"in the round {round_id!r} something else was asked before",
    )


def _refused(code: str, zh: str, en: str) -> Refusal:
    return Refusal(
        f"E-TASK-{code}",
        Message(f"节点不执行：{zh}。", f"The node does nothing: {en}."),
        Message("请由发起方以新的轮次重新签发。", "Let whoever asks sign it anew, in a new round."),
    )
