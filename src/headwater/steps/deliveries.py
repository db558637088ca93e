"""Deliveries: what came, what waits for a decision and why, and what a file that was sent again changed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from headwater.adapters import batches, deliveries, lake, postgres
from headwater.adapters.batches import Waiting
from headwater.adapters.deliveries import Change, Delivery, Replacement
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal
from headwater.steps.decide import CHOICES, decide

__all__ = ["Changed", "answered", "changed", "newest", "option", "questions"]


@dataclass(frozen=True)
class Changed:
    """What one batch changed: the counts, and some of the rows that differ."""

    batch_id: str
    replaced: Replacement
    rows: tuple[Change, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, money as decimal text."""
        values = asdict(self.replaced)
        counts = values.pop("difference")
        counts = {name: value if isinstance(value, int) else str(value) for name, value in counts.items()}
        return {"batch_id": self.batch_id, **values, **counts, "rows": [asdict(row) for row in self.rows]}


def newest(home: Home, *, limit: int = 100) -> Sequence[Delivery]:
    """Return batches, those that wait for a decision first, then the newest."""
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        return deliveries.newest(connection, limit=limit)


def changed(home: Home, batch_id: str, *, limit: int = 20) -> Changed:
    """Compare a batch with the one whose place it took.

    Raises
    ------
    Refusal
        ``E-NO-DIFFERENCE`` when it took no other's place, or waits and was not loaded
    """
    postgres.prepare(home)
    with postgres.connect(home) as register:
        replaced = deliveries.replacement(register, batch_id)
    if replaced is None:
        raise Refusal(
            "E-NO-DIFFERENCE",
            Message(f"批次 {batch_id} 没有替代已入库的文件。", f"Batch {batch_id} took no loaded file's place."),
            Message(
                "用 headwater deliveries 查看批次及其状态。", "See the batches and their states: headwater deliveries."
            ),
        )
    with lake.connect(home, threads=1) as connection:
        rows = deliveries.changes(connection, replaced, batch=batch_id, limit=limit)
    return Changed(batch_id, replaced, tuple(rows))


def option(choice: str) -> str:
    """Return a choice as the form shows it, e.g. ``接受缩减 · Accept the smaller file``."""
    words = CHOICES[choice]
    return f"{words.zh} · {words.en[0].upper()}{words.en[1:]}"


def questions(home: Home, *, held: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return one question for each file that waits: ``batch_id``, ``subject`` and ``body`` (Markdown).

    Parameters
    ----------
    held : only the files that a landing reported so, as ``<source>/<file>: <reason>``; every one that waits when None
    """
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        waiting = batches.waiting(connection)
    if held is not None:
        waiting = [file for file in waiting if any(text.startswith(f"{_place(file)}: ") for text in held)]
    return [{"batch_id": file.batch_id, "subject": _subject(file), "body": _body(file)} for file in waiting]


def answered(home: Home, batch_id: str, *, chosen: str, by: str, why: str) -> str | None:
    """Put down what the form brought; return the choice, None when the file was decided elsewhere meanwhile."""
    choice = next((name for name in CHOICES if option(name) == chosen), chosen)
    try:
        decide(home, batch_id, choice=choice, by=by, why=why)
    except Refusal as refusal:
        if refusal.code != "E-NOT-WAITING":
            raise
        return None
    return choice


def _place(file: Waiting) -> str:
    return f"{file.source_id}/{file.file_name}"


def _subject(file: Waiting) -> str:
    return f"{_plain(file.file_name)}：{file.rows_before or '?'} → {file.rows_in} 行 / rows"


def _body(file: Waiting) -> str:
    lines = (
        ("来源 / Source", file.source_id),
        ("表 / Table", file.entity),
        ("文件 / File", _plain(file.file_name)),
        ("此前行数 / Rows before", f"{file.rows_before:,}" if file.rows_before is not None else "?"),
        ("本次行数 / Rows now", f"{file.rows_in:,}"),
        ("批次 / Batch", file.batch_id),
    )
    facts = "\n".join(f"- **{name}**: {value}" for name, value in lines)
    accept, back = option("accept"), option("return")
    return (
        f"同名文件重新送达，行数减少超过 5%。\n\nThe file was sent again with over 5 % fewer rows.\n\n{facts}\n\n"
        f"**{accept}**：随后的落地用本次文件替代此前的文件，缺少的行离开 `raw`，历史快照仍保留它们。 "
        "The next landing puts this file in the place of the earlier one; rows that it lacks leave `raw`, earlier "
        "snapshots keep them.\n\n"
        f"**{back}**：本次文件不会入库，此前的数据继续有效，请医院重新送报。 "
        "This file is never loaded, the earlier data stays live; ask the hospital for another one."
    )


def _plain(name: str) -> str:
    """Return a file name that cannot act as Markdown or as a template."""
    return "".join("_" if letter in "`*[]<>{}|\\\n" else letter for letter in name)
