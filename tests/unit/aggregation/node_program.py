"""A node as a process of its own, which tests speak to over pipes.

A tier starts its hospitals as processes of its own and carries what is meant for them. Frames are lengths and bytes.
"""

import json
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.adapters.tenseal import Ckks, ElsewhereHolder
from headwater.aggregation.adding import Adder
from headwater.aggregation.speaking import Speaker
from headwater.checks.protections import seeded_entropy
from headwater.federation import TableSource, wire
from headwater.security import CLEAR, MASKED, Identity
from headwater.security.at_once import AtOnce
from headwater.security.identity import framed, unframed
from headwater.security.pact import Pact

NOW = 1_000.0
ANSWER, ASK = b"a", b"?"


def seed_of(name: str) -> int:
    return zlib.crc32(name.encode())


def identity_of(name: str) -> Identity:
    return Identity(seeded_entropy(seed_of(name))(32))


def noise_of(name: str):
    return seeded_entropy(seed_of(name) + 1)


def table_of(name: str) -> pa.Table:
    rng = np.random.default_rng(seed_of(name))
    count = 30 + seed_of(name) % 20
    return pa.table(
        {"log_cost": rng.normal(8, 1, count), "age": rng.normal(60, 20, count), "days": rng.gamma(2, 4, count)}
    )


class Tables:
    """Answers from the table that a node's name gives; permits everything of one purpose."""

    purposes = ("aggregation",)

    def __init__(self, name: str) -> None:
        self.source = TableSource(name, table_of(name))

    def permit(self, opening, question) -> None:
        pass

    def answer(self, opening, question):
        return self.source.answer(question)


class Memory:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def write(self, name: str, kept: bytes) -> None:
        self.kept[name] = kept

    def names(self):
        return iter(list(self.kept))


def put(stream, *parts: bytes) -> None:
    message = framed(*parts)
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def got(stream) -> list[bytes]:
    head = stream.read(8)
    body = stream.read(int.from_bytes(head, "big"))
    if len(head) < 8 or len(body) < int.from_bytes(head, "big"):
        raise EOFError
    return unframed(body)


class Pipes:
    """A ``Line`` over pipes to processes that this one started; ``asked`` answers what they ask meanwhile."""

    def __init__(self, nodes: dict[str, dict], asked=None) -> None:
        self.asked = asked
        self.started = {
            name: subprocess.Popen([sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for name in nodes
        }
        for name, settings in nodes.items():
            # A public key is longer than an argument may be.
            put(self.started[name].stdin, json.dumps({"name": name, **settings}).encode())
        self.through = {name: name for name in nodes}
        for name, settings in nodes.items():
            self.through |= dict.fromkeys(settings.get("hospitals", ()), name)
        self.locks = {name: threading.Lock() for name in nodes}

    def send(self, to: str, message: bytes) -> bytes:
        process = self.started[self.through[to]]
        try:
            with self.locks[self.through[to]]:
                put(process.stdin, to.encode(), message)
                while True:
                    kind, body = got(process.stdout)
                    if kind == ANSWER:
                        return body
                    put(process.stdin, self.asked(body))
        except (OSError, EOFError) as error:
            raise ConnectionError(f"{to} is gone") from error

    def stop(self) -> None:
        for process in self.started.values():
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()


def protections(holder: str | None, opened):
    found = {"clear": CLEAR, "masked": MASKED}
    if holder is not None:
        found["ckks"] = Ckks(ElsewhereHolder("holder", bytes.fromhex(holder), opened))
    return found


def opened_above(pact: Pact, summed: bytes, members: int):
    """Have whoever holds the key, whom only the region reaches, open a sum."""
    put(sys.stdout.buffer, ASK, framed(wire.written(pact), summed, bytes([members])))
    (total,) = got(sys.stdin.buffer)
    return np.frombuffer(total, dtype=np.uint64)


def speaker(settings, line, shelf) -> Speaker:
    name = settings["name"]
    known = protections(settings.get("holder"), opened_above)
    adder = Adder(identity_of(name), line, AtOnce(120.0), lambda: NOW, 60.0, known) if line else None
    return Speaker(
        name=name,
        identity=identity_of(name),
        entropy=seeded_entropy(seed_of(name) + 2),
        noise=noise_of(name),
        region=bytes.fromhex(settings["region"]),
        host=Tables(name),
        shelf=shelf,
        clock=lambda: NOW,
        adder=adder,
        protections=known,
    )


def main(settings) -> None:
    hospitals = {
        name: {"region": settings["region"], "holder": settings.get("holder")} for name in settings.get("hospitals", ())
    }
    line = Pipes(hospitals) if hospitals else None
    node = speaker(settings, line, Memory())
    while True:
        try:
            to, message = got(sys.stdin.buffer)
        except EOFError:
            break
        if to.decode() == settings["name"]:
            put(sys.stdout.buffer, ANSWER, node.hear(message))
        else:
            put(sys.stdout.buffer, ANSWER, line.send(to.decode(), message))
    if line:
        line.stop()


if __name__ == "__main__":
    main(json.loads(got(sys.stdin.buffer)[0]))
