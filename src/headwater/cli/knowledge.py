"""``headwater value``, ``aggregate``, ``evolve``: what sources are worth, the model they make, and how both change."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from headwater.cli.command import Json, Seed, bar, home, print_json, refusing
from headwater.cli.frontier import tell_frontier
from headwater.cli.shown import listing, shown
from headwater.cli.told import MODELS, NAMED, head, left_out, tell_judgement
from headwater.errors import Message

if TYPE_CHECKING:
    from headwater.adapters.knowledge import Run
    from headwater.steps.aggregate import AggregateReport
    from headwater.steps.evolve import EvolveReport
    from headwater.steps.frontier import FrontierReport
    from headwater.steps.join import Round
    from headwater.steps.value import ValueReport
    from headwater.steps.valued import SourceValue
    from headwater.types import SourceId

__all__ = ["UNPROTECTED", "Asked", "Protect", "aggregate", "evolve", "occasions", "options", "value"]

_out = Console()
_T = TypeVar("_T", "ValueReport", "AggregateReport", "EvolveReport", "FrontierReport")

Task = Annotated[str, typer.Option(help="The learning task. / 学习任务")]
Region = Annotated[str | None, typer.Option(help="Only this region; default: each that has enough sources. / 统筹区")]

Protect = Annotated[
    tuple[str, str],
    typer.Option(
        help="Hospital to city: required, clear or masked; city to region: required, masked or judged. / 两级保护方式"
    ),
]
UNPROTECTED = ("required", "required")
"""Beyond what sources require."""


@dataclass(frozen=True)
class Asked:
    """What each of these commands is told."""

    task: Task = "stay_cost"
    region: Region = None
    seed: Seed = 20260101
    as_json: Json = False


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option for each field of an argument that is a dataclass, in the argument's place."""
    taken = inspect.signature(command).parameters
    fields = {name: _fields(one.annotation) if is_dataclass(one.annotation) else {} for name, one in taken.items()}

    @wraps(command)
    def told(**given: Any) -> None:
        made = {
            name: taken[name].annotation(**{field: given.pop(field) for field in own})
            for name, own in fields.items()
            if own
        }
        command(**given, **made)

    options = [option for name, one in taken.items() for option in fields[name].values() or [one]]
    told.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return told


def _fields(kind: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(kind).parameters
    return {name: one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, one in parameters.items()}


@dataclass(frozen=True)
class Choosing:
    """How sources are valued, and what may be spent on those that are chosen."""

    budget: Annotated[float, typer.Option(help="Most to spend, in the unit. / 预算上限")] = 8
    unit: Annotated[str, typer.Option(help="sources, bytes, epsilon or money. / 预算单位")] = "sources"
    method: Annotated[str, typer.Option(help="auto, method, utility, both with / or private_sums. / 估值方法")] = "auto"
    protect: Annotated[str, typer.Option(help="What hides answers in sums: clear or masked. / 保护方式")] = "clear"
    month: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m"], help="Last month that is known; default: all. / 已知的最后月份"),
    ] = None


@options
def value(
    *,
    how: Choosing,
    frontier: Annotated[
        bool,
        typer.Option("--frontier", help="Instead, draw accuracy against bytes and ε. / 改为绘制精度与字节、ε 的前沿"),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the drawings; default: the reports. / 图的目录")] = None,
    asked: Asked,
) -> None:
    """Value the sources and choose among them. / 来源价值评估与优选."""
    if frontier:
        _measure(asked, out)
        return
    from headwater.steps.choose import approach_of
    from headwater.steps.value import value as step
    from headwater.valuation import Budget

    def run(occasion: "Run") -> "ValueReport":
        known = replace(occasion, month=how.month.date() if how.month else None)
        approach, spending = approach_of(how.method, how.protect), Budget(how.budget, unit=how.unit)
        return step(home(), run=known, task=asked.task, budget=spending, method=approach)

    # What Airflow hands on is small; whoever asks here wants every source.
    _in_regions(asked, run, _tell_value, whole=lambda report: report.to_dict() | {"lines": report.lines()})


@options
def aggregate(
    *,
    model: Annotated[str, typer.Option(help="stay_cost_ridge or stay_cost_network. / 模型")] = "stay_cost_ridge",
    protect: Protect = UNPROTECTED,
    asked: Asked,
) -> None:
    """Join the chosen sources tier by tier, each as it requires. / 众源层次汇聚."""
    from headwater.steps.aggregate import aggregate as step
    from headwater.steps.wish import Wish

    with refusing():
        wish = Wish(*protect)  # type: ignore[arg-type]

    def run(occasion: "Run") -> "AggregateReport":
        progress = _tell_round if not asked.as_json else _untold
        return step(home(), run=occasion, task=asked.task, model=model, wish=wish, progress=progress)

    _in_regions(asked, run, _tell_aggregate, whole=lambda report: report.to_dict() | report.lines())


@dataclass(frozen=True)
class Following:
    """Until when sources are followed, what a month may spend, and whether anything is kept."""

    month: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m"], help="Last month to follow; default: all there are. / 跟踪到的最后月份"),
    ] = None
    hours: Annotated[
        float | None, typer.Option(min=0, help="Hours of people a month for actions; default: no limit. / 每月人力上限")
    ] = None
    bytes: Annotated[
        float | None, typer.Option(min=0, help="Bytes a month for asking; default: no limit. / 每月询问字节上限")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen and keep nothing of it. / 只预演，不登记不保存")
    ] = False


@options
def evolve(*, how: Following, asked: Asked) -> None:
    """Follow the sources from where the last month stands, and keep the model up to date. / 适源动态演化."""
    from headwater.evolution import Budgets
    from headwater.steps.evolve import evolve as step

    def run(occasion: "Run") -> "EvolveReport":
        known = replace(occasion, month=how.month.date() if how.month else None)
        limits = {"labour": how.hours, "bytes": how.bytes}
        budgets = Budgets(**{name: limit for name, limit in limits.items() if limit is not None})
        return step(home(), run=known, task=asked.task, budgets=budgets, dry=how.dry_run)

    _in_regions(asked, run, _tell_evolve)


def occasions(asked: Asked) -> "Iterable[Run]":
    """Yield the occasion of each region."""
    from headwater.adapters.knowledge import Run
    from headwater.steps.regions import regions

    now = datetime.now(UTC)
    for name in [asked.region] if asked.region else regions(home(), task=asked.task).usable:
        yield Run(name=f"cli {now:%Y-%m-%dT%H:%M:%SZ} {name}", at=now, seed=asked.seed, region=name)


def _in_regions(
    asked: Asked,
    step: "Callable[[Run], _T]",
    tell: "Callable[[_T], None]",
    *,
    whole: "Callable[[_T], dict[str, Any]]" = lambda report: report.to_dict(),
) -> None:
    """Run a knowledge step once a region, and tell what it found, to programs as ``whole`` has it."""
    with refusing():
        for occasion in occasions(asked):
            report = step(occasion)
            if asked.as_json:
                print_json(whole(report))
            else:
                tell(report)


def _measure(asked: Asked, out: Path | None) -> None:
    """Measure and draw the frontier of each region."""
    from headwater.steps.frontier import frontier as step

    def run(occasion: "Run") -> "FrontierReport":
        with bar(f"frontier 前沿 {occasion.region}") as advance:
            return step(home(), run=occasion, task=asked.task, folder=out, progress=advance)

    _in_regions(asked, run, tell_frontier)


def _tell_value(report: "ValueReport") -> None:
    head(report.region, report.task, (f"{report.month:%Y-%m}", *report.origins))
    table = listing(
        "source 来源",
        "chosen 选用",
        "stays 人次",
        "value 价值",
        "95 % 区间",
        "rank 名次",
        "sure 把握",
        "bytes 字节",
        numbers=6,
    )
    for line in report.sources:
        mark = "[green]✓[/]" if line.selected else ""
        numbers = (f"{line.stays:,}", f"{line.value:+.4f}", *_certainty(line), f"{line.bytes:,}")
        table.add_row(shown(line.source), mark, *numbers)
    _out.print(table)
    _out.print(f"[dim]value 价值: {shown(report.unit)}; 95 %, rank and sure: {_doubted(report)}[/]", highlight=False)
    for line in report.sources:
        _out.print(f"{shown(line.source)} {shown(line.reason.zh)}\n  [dim]{shown(line.reason.en)}[/]", highlight=False)
        for finding in line.findings:
            _out.print(f"  [yellow]![/] {shown(finding.zh)}\n    {shown(finding.en)}", highlight=False)
    _tell_choice(report)
    left_out(report.refused, report.small)


def _doubted(report: "ValueReport") -> str:
    """Return what intervals, ranks and their chances leave open."""
    if any(line.judged_low is not None for line in report.sources):
        return "had other records of the bureau judged 区间、名次与把握：若换一批评判记录"
    if "selected" not in report.r2:
        return "noise and scatter of what sources told 区间、名次与把握：各来源自报值的噪声与离散"
    return "what sampling coalitions left open, no other judges 区间、名次与把握：只含抽样组合的误差"


def _certainty(line: "SourceValue") -> tuple[str, str, str]:
    """Return interval, ranks and probability of the rank, under other judging records where that is known."""
    if line.judged_low is None or line.judged_high is None or line.judged_stability is None:
        low, high, first, last, sure = line.low, line.high, line.rank_low, line.rank_high, line.stability
    else:
        low, high, sure = line.judged_low, line.judged_high, line.judged_stability
        first, last = line.judged_rank_low or line.rank, line.judged_rank_high or line.rank
    ranks = str(line.rank) if first == last else f"{line.rank} ({first}–{last})"
    return f"{low:+.3f} {high:+.3f}", ranks, f"{100 * sure:.0f} %"


def _tell_choice(report: "ValueReport") -> None:
    selection, exchange = report.selection, report.exchange
    certificate = selection.certificate
    proof, best = (
        certificate.proof,
        f"{100 * selection.share:.1f} %" if isfinite(certificate.bound) else "? unknown 未知",
    )
    gains = (f"{MODELS[name]} {number:.4f}" for name, number in report.r2.items())
    _out.print(f"R² {' · '.join(gains)}", highlight=False)
    _out.print(
        f"spent 花费 {selection.cost:,.6g} / {report.budget.limit:,.6g} {shown(report.budget.unit)} · "
        f"of the best for certain 至少为最优的 {best}",
        highlight=False,
    )
    _out.print(f"  {shown(selection.algorithm)} · {shown(proof.zh)}\n  [dim]{shown(proof.en)}[/]", highlight=False)
    if "selected" not in report.r2:
        # No source's own statistic was seen.
        _out.print(
            "[yellow]![/] honesty not examined: only sums left 诚实性未检查：只有和数离开医院\n"
            "  what sources told of themselves is not verified 各来源自报的价值无从核对",
            highlight=False,
        )
    total, most = sum(line.bytes for line in report.sources), max(line.bytes for line in report.sources)
    _out.print(
        f"exchanged 交换 {total:,} bytes 字节 · most a source 单源最多 {most:,}\n"
        f"at one source's door 可归属单源 {max(exchange.attributable.values(), default=0):,} bytes 字节\n"
        f"rounds 轮 {exchange.rounds} · ε {exchange.epsilon:g} · leverage 杠杆 {exchange.leverage:.2f} · "
        f"protection 保护 {shown(report.protection)}\n"
        f"method 方法 {report.method} · coalitions 组合 {report.evaluations:,} · snapshot 快照 {report.data.snapshot}",
        highlight=False,
    )


def _tell_aggregate(report: "AggregateReport") -> None:
    head(report.region, report.task, report.origins)
    table = listing("model 模型", "R² ln(费用)", f"MAE {shown(report.currency)}", numbers=2)
    for name, scored in report.scores.items():
        table.add_row(MODELS.get(name, shown(name)), f"{scored.r2_log:.4f}", f"{scored.mae:,.2f}")
    _out.print(table)
    champion = "[green]champion 现役[/]" if report.registered.is_champion else "not champion 未成为现役"
    _out.print(f"version 版本 {shown(report.registered.version.label)} · {champion}", highlight=False)
    most = max(report.bytes_by_source.values(), default=0)
    _out.print(
        f"sources 来源 {len(report.sources)} · most bytes a source 单源最多字节 {most:,} · "
        f"snapshot 快照 {report.data.snapshot}",
        highlight=False,
    )
    _tell_plan(report)
    if report.judgement:
        tell_judgement(report.judgement)
    for note in report.notes:
        _out.print(f"[yellow]![/] {shown(note.zh)}\n  {shown(note.en)}", highlight=False)
    left_out(report.refused)


def _tell_round(one: "Round") -> None:
    _out.print(f"[dim]{shown(str(one))}[/]", highlight=False)


def _untold(one: "Round") -> None:
    """Programs read all rounds in the end."""


def _tell_plan(report: "AggregateReport") -> None:
    """Tell what was planned and why; sources that climb alike for the same reason are told together."""
    from headwater.aggregation.planning.reasoning import leaving

    plan = report.joint.plan
    if plan is None:
        return
    alike: dict[Message, list[SourceId]] = {}
    for source, why in plan.reasons.items():
        alike.setdefault(why, []).append(source)
    _out.print(
        f"plan 计划 {plan.digest[:16]} · audit entry 审计条目 {report.joint.entry} · "
        f"ε {max(report.epsilon.values(), default=0.0):g} · "
        f"bytes 字节 {sum(one.bytes for one in report.rounds):,}",
        highlight=False,
    )
    like = Counter((group.tier, len(group.members), leaving(group.mechanisms[0][1].company)) for group in plan.groups)
    for (tier, members, how), times in like.items():
        text = f"{tier} ← {members}{f' × {times}' if times > 1 else ''}: {how.zh} {how.en}"
        _out.print(f"  {shown(text)}", highlight=False)
    for why, sources in alike.items():
        named = f"{' '.join(sources[:NAMED])}{' …' * (len(sources) > NAMED)}"
        _out.print(f"  {shown(named)}\n    {shown(why.zh)}\n    [dim]{shown(why.en)}[/]", highlight=False)
    for tier in report.joint.lost:
        _out.print(f"[yellow]![/] lost 已失去 {shown(tier)}", highlight=False)


def _tell_evolve(report: "EvolveReport") -> None:
    from headwater.evolution import ACTIONS

    story = report.story
    head(story.region, report.task, story.origins)
    if story.dry:
        _out.print("[yellow]![/] dry run: nothing was kept or registered 预演：未保存、未登记", highlight=False)
    _out.print(
        f"months 月 {len(story.months)} · new 新跟踪 {len(report.new)} · sources 来源 {len(story.sources)} · "
        f"in the model 在模型中 {len(story.months[-1].members)}",
        highlight=False,
    )
    errors = listing("model 模型", "RMSE of the next month 下月误差", numbers=1)
    for name in ("evolving", "static", "target_only"):
        error = story.mean_error(name)
        errors.add_row(MODELS[name], "–" if error is None else f"{error:.4f}")
    _out.print(errors)
    told = (*story.actions_in(report.new), *story.proposals)
    if told:
        table = listing("month 月份", "source 来源", "action 处置", "why 原因")
        for line in told:
            why = f"{shown(line.reason.zh)}\n[dim]{shown(line.reason.en)}[/]"
            action = ACTIONS[line.action]
            waits = "\n[yellow]a person must approve 须人审批[/]" if line.unapproved else ""
            table.add_row(f"{line.month:%Y-%m}", shown(line.source), f"{action.en} {action.zh}{waits}", why)
        _out.print(table)
    labels = " ".join(shown(registered.version.label) for registered in report.versions.values())
    _out.print(f"versions 版本 {labels or '–'}\nchampion 现役 {shown(report.champion or '–')}", highlight=False)
    left_out(report.refused)
    for page in (report.report / "zh", report.report / "en") if report.report else ():
        _out.print(f"    {shown(str(page))}.html", highlight=False, soft_wrap=True)
