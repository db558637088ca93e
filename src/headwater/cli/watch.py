"""The chain in the terminal: which DAG runs, which of its tasks, which are done."""

from collections import Counter

from rich.console import Console

from headwater.adapters.chain import Progress

__all__ = ["Watch"]


class Watch:
    """Prints one line whenever the chain moved: a DAG begun, a task state changed, a DAG ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def __call__(self, progress: Progress) -> None:
        """Show how far the chain has come, if that differs from what was shown last."""
        done = " ".join(f"[green]✓[/] {dag}" for dag in progress.finished)
        states = Counter(task.state or "waiting" for task in progress.tasks)
        tasks = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        running = f"[bold]{progress.running}[/] {tasks}" if progress.running else ""
        line = f"{done}  {running}".strip()
        if line != self._last:
            self._console.print(line, highlight=False)
            self._last = line
