"""Component: one process of the stack, for whoever supervises processes otherwise (containers, systemd)."""

import os

from headwater.adapters import stack
from headwater.adapters.home import Home
from headwater.adapters.settings import Ports, environment
from headwater.errors import Message, Refusal

__all__ = ["MIGRATE", "component"]

MIGRATE = "migrate"
"""Not a process: brings the databases to the installed versions and ends."""


def component(home: Home, name: str) -> None:
    """Become the named component, or bring the databases up to date; PostgreSQL is named by the environment.

    Parameters
    ----------
    name : one of :data:`headwater.adapters.stack.COMPONENTS`, or ``migrate``

    Raises
    ------
    Refusal
        ``E-UNKNOWN-NAME`` for any other name
    """
    ports = Ports.from_environment()
    if name not in (MIGRATE, *stack.COMPONENTS):
        known = ", ".join((MIGRATE, *stack.COMPONENTS))
        raise Refusal(
            "E-UNKNOWN-NAME",
            Message(f"没有名为“{name}”的组件。", f"There is no component named {name!r}."),
            Message(f"可用：{known}。", f"Known: {known}."),
        )
    variables = environment(home, ports)
    if name == MIGRATE:
        stack.migrate(home, variables)
        return
    command = stack.commands(ports)[name]
    os.execve(command[0], command, variables)
