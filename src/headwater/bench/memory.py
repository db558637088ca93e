"""What this process holds, and the most that it held while it worked."""

from pathlib import Path
from typing import Literal

__all__ = ["memory", "peak_forgotten"]


def memory(key: Literal["VmRSS", "VmHWM"]) -> float:
    """Return MiB: what is held now, or the most since the peak was forgotten."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def peak_forgotten() -> float:
    """Set the peak back to what is held now, and return that."""
    # 5 does so (proc(5)).
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory("VmRSS")
