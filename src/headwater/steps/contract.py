"""Contract: drafted from delivered files, and checked against them, before anything is loaded by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.claims.proposing import Proposal, ProposedTable, Source, draft, propose_tables, source_name
from headwater.claims.reviewing import Finding, review
from headwater.content.contracts import contract_documents, contract_files
from headwater.errors import Message, Refusal

__all__ = ["CheckReport", "ProposeReport", "check", "propose"]


@dataclass(frozen=True)
class ProposeReport:
    """A draft and how it came about."""

    source: str
    proposal: Proposal
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return tables, columns with confidence and runner-up, notes, and the draft; no delivered values beyond it."""
        return {
            "source": self.source,
            "tables": [_table(table) for table in self.proposal.tables],
            "notes": [_both(note) for note in self.proposal.notes],
            "contract": self.text,
        }


def propose(files: Sequence[Path], *, source: Source | None = None) -> ProposeReport:
    """Draft a contract for delivered files; a folder stands for the files in it.

    Raises
    ------
    Refusal
        ``E-NO-DELIVERIES`` when there are no files, ``E-PROPOSE-NOTHING`` when none can be read as a canonical table
    """
    listed = [file for path in files for file in (_inside(path) if path.is_dir() else [path])]
    missing = [file for file in listed if not file.is_file()]
    if missing or not listed:
        name = missing[0].name if missing else "–"
        raise Refusal(
            "E-NO-DELIVERIES",
            Message(f"没有可读的文件：{name}。", f"There is no file to read: {name}."),
            Message("检查路径。", "Check the path."),
        )
    made = source or Source(source_name(listed[0].resolve().parent.name))
    proposal = propose_tables([file.resolve() for file in listed])
    return ProposeReport(made.name, proposal, draft(proposal, made))


def _inside(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith((".", "_", "~")))


def _table(table: ProposedTable) -> dict[str, Any]:
    return {
        "table": table.entity.name,
        "files": table.files,
        "format": table.format,
        "encoding": table.encoding,
        "sheet": table.sheet,
        "header_row": table.header_row,
        "missing": list(table.missing),
        "slots": len(table.slots),
        "notes": [_both(note) for note in table.notes],
        "columns": [
            {
                "column": column.column,
                "field": column.field,
                "confidence": column.confidence,
                "runner_up": column.runner_up,
                "unsure": column.unsure,
                "rule": dict(column.keys),
                "notes": [_both(note) for note in column.notes],
            }
            for column in table.columns
        ],
    }


def _both(note: Message) -> dict[str, str]:
    return {"zh": note.zh, "en": note.en}


@dataclass(frozen=True)
class CheckReport:
    """Everything found about some contracts."""

    findings: tuple[Finding, ...]
    contracts: int

    @property
    def errors(self) -> int:
        """How many findings keep a contract from working."""
        return sum(finding.level == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return every finding in both languages; identifiers of persons are in none of them."""
        return {
            "contracts": self.contracts,
            "errors": self.errors,
            "warnings": sum(finding.level == "warning" for finding in self.findings),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check(targets: Sequence[str], *, project: Path, deliveries: Path) -> CheckReport:
    """Say everything that is wrong with contracts, by themselves and against the delivered files.

    Parameters
    ----------
    targets : contract files or names of sources; every contract of the project and the deliveries when empty
    deliveries : the inbox; a source without a folder there is checked by itself only

    Raises
    ------
    Refusal
        ``E-UNKNOWN-SOURCE`` for a target that is neither a file nor a declared source, ``E-CONTRACT`` for no YAML
    """
    named = {target for target in targets if not Path(target).is_file()}
    files = [Path(target) for target in targets if target not in named]
    searched = contract_files(project, deliveries) if named or not targets else []
    # A contract in a file that was named needs no other file to be readable.
    documents = [
        (file.name, source)
        for file in (*files, *searched)
        for source in contract_documents(file)
        if file in files or not named or source.get("name") in named
    ]
    unknown = sorted(named - {str(source.get("name")) for _, source in documents})
    if unknown or not documents:
        raise Refusal(
            "E-UNKNOWN-SOURCE",
            Message(f"没有合同 {'、'.join(unknown)}。", f"There is no contract {', '.join(unknown)}."),
            Message("给出合同文件或已声明的数据源名称。", "Give a contract file or the name of a declared source."),
        )
    findings = [finding for place, source in documents for finding in review(source, where=place, inbox=deliveries)]
    return CheckReport(tuple(findings), len(documents))
