"""Decide: a person accepts or returns a file that waits because it shrank."""

from collections.abc import Sequence

from headwater.adapters import batches, postgres
from headwater.adapters.batches import Waiting
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = ["CHOICES", "decide", "waiting_files"]

CHOICES: dict[str, Message] = {
    "accept": Message("接受缩减", "accept the smaller file"),
    "return": Message("退回医院", "return it to the hospital"),
}
"""What can be decided, in the words of the form."""


def waiting_files(home: Home) -> Sequence[Waiting]:
    """Return the files that wait for a decision, the oldest first."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return batches.waiting(connection)


def decide(home: Home, batch_id: str, *, choice: str, by: str, why: str) -> None:
    """Put down a decision; an accepted file is loaded by the next landing, a returned one never.

    Raises
    ------
    Refusal
        ``E-UNKNOWN-CHOICE``, or ``E-NOT-WAITING`` when the file does not wait (any more)
    """
    if choice not in CHOICES:
        raise Refusal(
            "E-UNKNOWN-CHOICE",
            Message(f"没有选项“{choice}”。", f"There is no choice {choice!r}."),
            Message(f"可选：{'、'.join(CHOICES)}。", f"Choose one of {', '.join(CHOICES)}."),
        )
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        if not batches.decide(connection, batch_id, choice=choice, by=by, why=why):
            raise Refusal(
                "E-NOT-WAITING",
                Message(f"批次 {batch_id} 不在等待决定。", f"Batch {batch_id} does not wait for a decision."),
                Message("运行 headwater deliveries 查看。", "Run headwater deliveries to see those that do."),
            )
