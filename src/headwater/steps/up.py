"""Up: the whole stack, until somebody stops it."""

import time
from collections.abc import Callable

from headwater.adapters.home import Home
from headwater.adapters.processes import interruptible
from headwater.adapters.settings import Ports, passwords
from headwater.adapters.stack import Stack
from headwater.errors import Message

__all__ = ["addresses", "stay", "up"]

_LOOK_S = 1.0


def up(home: Home, *, ports: Ports | None = None, tell: Callable[[Message], None]) -> None:
    """Start everything, say where it is, and stay until Ctrl-C, SIGTERM or the end of a component.

    Parameters
    ----------
    ports : where to listen; the environment decides when None
    tell : receives what there is to say, in both languages

    Raises
    ------
    Refusal
        ``E-PORT-TAKEN``, ``E-STACK-RUNNING``, ``E-STACK-SLOW``, ``E-STACK-COMPONENT``; nothing is left running
    """
    stack = Stack(home, ports or Ports.from_environment(), tell)
    with interruptible(), stack:
        for line in addresses(home, stack.ports):
            tell(line)
        stay(stack)


def stay(stack: Stack) -> None:
    """Return at Ctrl-C; refuse when a component ends by itself."""
    try:
        while True:
            stack.check()
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        return


def addresses(home: Home, ports: Ports) -> list[Message]:
    """Return what a person needs to look in: addresses and logins."""
    login = passwords(home)
    users = "  ".join(f"{user} / {password}" for user, password in login.items())
    console, quality = f"{ports.airflow_url}/headwater/", f"{ports.airflow_url}/headwater/quality"
    return [
        Message(f"Airflow   {ports.airflow_url}", f"Airflow   {ports.airflow_url}"),
        Message(f"监管台    {console}?lang=zh-CN", f"Console   {console}?lang=en"),
        Message(f"质量报告  {quality}?lang=zh-CN", f"Quality   {quality}?lang=en"),
        Message(f"MLflow    {ports.mlflow_url}", f"MLflow    {ports.mlflow_url}"),
        Message(f"登录（用户 / 密码）  {users}", f"Login (user / password)  {users}"),
        Message("按 Ctrl-C 停止。", "Press Ctrl-C to stop."),
    ]
