"""Publish: readers move, all at once, to the snapshot of the lake that was checked and found good."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from headwater.adapters import audit, lake, postgres, publication
from headwater.adapters.home import Home
from headwater.adapters.publication import Publication, Verdict
from headwater.errors import Message, Refusal

__all__ = ["PublishReport", "publish"]


@dataclass(frozen=True)
class PublishReport:
    """What readers see now.

    Parameters
    ----------
    before : snapshot that they saw before, None if nothing was published
    changed : False when this very snapshot was published already
    """

    publication: Publication
    before: int | None
    changed: bool

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on."""
        return {
            "snapshot_id": self.publication.snapshot_id,
            "quality_run": self.publication.quality_run,
            "published_by": self.publication.published_by,
            "published_at": self.publication.published_at.isoformat(),
            "before": self.before,
            "changed": self.changed,
        }


def publish(home: Home, *, by: str, now: datetime | None = None) -> PublishReport:
    """Let readers see the snapshot that the newest check judged.

    Parameters
    ----------
    by : who publishes
    now : time of publication, with a time zone

    Raises
    ------
    Refusal
        ``E-PUBLISH-UNCHECKED`` when no check judged the marts, ``E-PUBLISH-QUALITY`` when the newest one failed,
        ``E-PUBLISH-STALE`` when marts changed since, ``E-PUBLISH-OLDER`` when readers see a newer snapshot
    """
    postgres.prepare(home)
    # What may be published is looked up under the claim: nobody can publish between looking and flipping.
    with publication.claim(home) as register, lake.connect(home, threads=1) as connection:
        seen = publication.newest(register)
        verdict = _good(publication.newest_verdict(connection))
        changed_at = publication.marts_changed_after(connection, verdict.snapshot_id)
        if changed_at is not None:
            raise _stale(verdict.snapshot_id, changed_at)
        if seen is not None and seen.snapshot_id == verdict.snapshot_id:
            return PublishReport(publication=seen, before=seen.snapshot_id, changed=False)
        wanted = Publication(verdict.snapshot_id, verdict.run_id, by, now or datetime.now(UTC))
        if not publication.flip(register, wanted):
            raise _older(verdict.snapshot_id, seen)
        audit.add(home, register, "publication", {**asdict(wanted), "before": seen.snapshot_id if seen else None})
    return PublishReport(publication=wanted, before=seen.snapshot_id if seen else None, changed=True)


def _good(verdict: Verdict | None) -> Verdict:
    if verdict is None or not verdict.has_marts:
        raise Refusal(
            "E-PUBLISH-UNCHECKED",
            Message("最近一次质量检查没有检查数据集市。", "The newest check of quality did not judge the marts."),
            Message("请先运行 headwater check。", "Run headwater check first."),
        )
    if verdict.errors:
        raise Refusal(
            "E-PUBLISH-QUALITY",
            Message(
                f"最近一次质量检查 {verdict.run_id} 有 {verdict.errors} 条错误级规则未满足。",
                f"{verdict.errors} rules of severity error are unmet in the newest check of quality, {verdict.run_id}.",
            ),
            Message("请按质量报告处理后重新检查。", "Mend what its report names and check again."),
        )
    return verdict


def _stale(checked: int, changed: int) -> Refusal:
    return Refusal(
        "E-PUBLISH-STALE",
        Message(
            f"检查的是快照 {checked}，而数据集市在快照 {changed} 又有变化。",
            f"Snapshot {checked} was checked, but the marts changed in snapshot {changed}.",
        ),
        Message("请重新检查后再发布。", "Check again, then publish."),
    )


def _older(checked: int, seen: Publication | None) -> Refusal:
    shown = seen.snapshot_id if seen else checked
    return Refusal(
        "E-PUBLISH-OLDER",
        Message(
            f"读者已在看快照 {shown}，比检查过的快照 {checked} 更新。",
            f"Readers see snapshot {shown}, which is newer than the checked snapshot {checked}.",
        ),
        Message("请检查最新数据后再发布。", "Check the newest data, then publish."),
    )
