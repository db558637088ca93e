"""``headwater review``: codes that wait for a person, and what people decide about them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from headwater.cli.command import Json, home, print_json, refusing
from headwater.cli.deliveries import whoami
from headwater.cli.shown import listing, shown
from headwater.errors import Message

if TYPE_CHECKING:
    from headwater.steps.code import CodeReport

__all__ = ["app", "tell"]

app = typer.Typer(no_args_is_help=True, help="Codes that wait for a person. / 编码审核")
_out = Console()

_NONE = "none"
_STATES = {
    "in force": Message("已生效", "In force"),
    "proposed": Message("待另一人确认", "Waits for somebody else to confirm it"),
}

Like = Annotated[str, typer.Argument(help="The question, as listed. / 问题编号")]
Why = Annotated[str, typer.Option(help="The reason. / 理由")]
By = Annotated[str | None, typer.Option(help="Who decides; default: you. / 审核人")]


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(help="drug, consumable, service, diagnosis or operation. / 类别")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most. / 最多列出")] = 20,
    none: Annotated[bool, typer.Option("--none", help="What was used and has no code. / 已使用而无编码的项目")] = False,
    as_json: Json = False,
) -> None:
    """List what waits, the most money at risk first. / 按涉及金额列出待审核项目."""
    from headwater.steps.review import waiting

    with refusing():
        found = waiting(home(), state=_NONE if none else "review", kind=kind, limit=limit)
    if as_json:
        print_json({"questions": [{**asdict(one), "proposal": asdict(p) if p else None} for one, p in found]})
        return
    table = listing("question 问题", "best 最相近", "items 项", "at risk 涉及金额", numbers=2)
    # An identifier that is cut in two could not be given to show or decide.
    table.columns[0].min_width = 20
    for question, proposal in found:
        best = question.alternatives[0] if question.alternatives else None
        code = "\n".join(shown(one) for one in question.reported) or "–"
        if best is not None:
            code = f"{shown(best['name'])}\n[dim]{shown(best['code'])} {best['confidence']:.2f}[/]"
        if proposal is not None:
            code = f"[yellow]proposed 待确认 {proposal.decision_id}[/]\n{shown(proposal.code or _NONE)}"
        name = f"{shown(question.name)}\n[dim]{question.like_id}[/]\n{shown(_told(question.reason))}"
        table.add_row(name, code, f"{question.items:,}", f"{question.at_risk:,.2f}\n{question.currency or ''}")
    _out.print(table)


@app.command()
def show(like_id: Like, as_json: Json = False) -> None:
    """Show one question: its candidates, its local items, what was decided before. / 显示一个待审核项目."""
    from headwater.steps.review import show as run

    with refusing():
        found = run(home(), like_id)
    if as_json:
        print_json(asdict(found))
        return
    question = found.question
    facts = {
        "name 名称": question.name,
        **question.attributes,
        "at risk 涉及金额": f"{question.at_risk:,.2f} {question.currency or ''}",
        "reason 原因": _told(question.reason),
        "reported 医院自报": ", ".join(question.reported),
        "high value 高值": "two people 须两人" if question.is_high_value else "",
    }
    for name, value in facts.items():
        if value:
            _out.print(f"[bold]{name}[/] {shown(value)}", highlight=False)
    candidates = listing("code 编码", "name 名称", "confidence 把握", numbers=1)
    for one in question.alternatives:
        # Candidates of one name are told apart by what else the reference says.
        further = shown(" · ".join(one["attributes"].values()))
        name = f"{shown(one['name'])}\n[dim]{further}[/]" if further else shown(one["name"])
        candidates.add_row(shown(one["code"]), name, f"{one['confidence']:.2f}")
    items = listing("source 来源", "local code 院内编码", "decision 状态", "lines 明细", "money 金额", numbers=2)
    for item in found.items:
        state = f"{item['decision']} {shown(str(item['code'] or ''))}"
        money = (f"{item['line_count']:,}", f"{item['money']:,.2f}")
        items.add_row(shown(str(item["source_id"])), shown(str(item["medins_list_codg"] or "–")), state, *money)
    _out.print(candidates)
    _out.print(items)
    for ruling in found.rulings:
        _out.print(
            f"[bold]{ruling.decision_id}[/] {ruling.state} · {shown(ruling.code or _NONE)} · {shown(ruling.signed)} · "
            f"{ruling.decided_at:%Y-%m-%d} · {shown(ruling.why)}",
            highlight=False,
        )


@app.command()
def decide(
    like_id: Like,
    code: Annotated[str, typer.Argument(help="A code of the reference, or none. / 参考表编码，或 none")],
    why: Why,
    by: By = None,
    over: Annotated[int | None, typer.Option(help="The decision that yours supersedes. / 取代的决定编号")] = None,
    as_json: Json = False,
) -> None:
    """Decide for all like items; of a high-value item this is a proposal. / 作出决定."""
    from headwater.steps.review import decide as run

    with refusing():
        choice = None if code == _NONE else code
        _tell(run(home(), like_id, code=choice, signed=(by or whoami(), why), over=over).to_dict(), as_json)


@app.command()
def confirm(
    decision: Annotated[int, typer.Argument(help="The proposal's number. / 决定编号")],
    why: Why,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Confirm what somebody else proposed. / 确认他人的决定."""
    from headwater.steps.review import confirm as run

    with refusing():
        _tell(run(home(), decision, signed=(by or whoami(), why)).to_dict(), as_json)


def tell(report: "CodeReport") -> None:
    """Show what a coding did."""
    table = listing(
        *("kind 类别", "asked 求码", "auto 自动", "decided 人定", "review 待审", "none 无码", "reopened 重审"),
        numbers=6,
    )
    for one in report.kinds:
        counts = (one.asked, *(one.decisions.get(name, 0) for name in ("auto", "decided", "review", "none")))
        table.add_row(one.kind, *(f"{count:,}" for count in (*counts, one.reopened)))
    _out.print(table)
    for note in report.notes:
        for text in (note.zh, note.en):
            _out.print(f"[yellow]![/] {shown(text)}", highlight=False)
    _out.print(f"questions 待审问题 {report.waiting:,} · {report.seconds:.1f} s", highlight=False)
    if report.waiting:
        _out.print("查看与决定 see and decide: headwater review list", highlight=False)
    if report.uncoded:
        _out.print(
            f"已使用而无编码 used, without a code {report.uncoded:,}: headwater review list --none", highlight=False
        )


def _told(reason: str) -> str:
    """Return a reason in both languages; a person's own words once."""
    from headwater.steps.questions import told

    return " ".join(dict.fromkeys((told(reason).zh, told(reason).en)))


def _tell(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    state = _STATES.get(done["state"])
    told = f"{state.zh}。{state.en}." if state else shown(done["state"])
    _out.print(f"[bold]{done['decision_id']}[/] {told} 项目 items {done['items']:,}", highlight=False)
