"""What is read from files is read again exactly when their bytes have changed."""

import os
import time
from pathlib import Path

import pytest

from headwater.adapters.home import Home
from headwater.content.kept import Kept
from headwater.errors import Refusal
from headwater.steps.holdings import in_force

PROJECT = Path(__file__).resolve().parents[3]


class Reader:
    """Reads a file with all beside it, and counts."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, path: Path) -> str:
        self.reads += 1
        return "".join(file.read_text() for file in self.files(path))

    def files(self, path: Path) -> list[Path]:
        return sorted(path.parent.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.yml").write_text("one")
    (tmp_path / "b.csv").write_text("x")
    return tmp_path / "a.yml"


def test_only_what_has_changed_is_read_again(file: Path) -> None:
    reader = Reader()
    kept = Kept(reader, reader.files)
    assert [kept(file) for _ in range(3)] == ["onex"] * 3
    assert reader.reads == 1
    os.utime(file, (0, 0))
    assert (kept(file), reader.reads) == ("onex", 1), "the same bytes at another time"
    stamp = file.stat()
    file.write_text("two")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (kept(file), reader.reads) == ("twox", 2), "as long and as old as before, yet another content"
    (file.parent / "b.csv").write_text("y")
    assert kept(file) == "twoy"
    (file.parent / "c.csv").write_text("z")
    assert kept(file) == "twoyz"
    (file.parent / "c.csv").unlink()
    assert kept(file) == "twoy"


def test_what_changes_while_it_is_read_is_not_kept(file: Path) -> None:
    reader = Reader()

    def torn(path: Path) -> str:
        value = reader(path)
        if reader.reads == 1:
            path.write_text("two")
        return value

    kept = Kept(torn, reader.files)
    assert kept(file) == "onex"
    file.write_text("one")
    assert (kept(file), reader.reads) == ("onex", 2)


def test_what_is_refused_is_refused_every_time_and_what_is_gone_is_not_remembered(file: Path) -> None:
    reader = Reader()
    kept = Kept(reader, lambda path: (path,))
    assert kept(file) == "onex"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        Kept(Path.read_text, lambda path: (path,))(file)
    assert (kept(file), reader.reads) == ("x", 2)


def test_policies_and_plans_are_compiled_once(tmp_path: Path) -> None:
    home = Home(tmp_path, PROJECT)
    file = tmp_path / "policies" / "trial" / "2025-01-01.yml"
    file.parent.mkdir(parents=True)
    text = (PROJECT / "dbt_project/policies/headwater_demo/2025-01-01.yml").read_text(encoding="utf-8")
    text = text.replace("policy: headwater_demo", "policy: trial").replace("[楚源省]", "[别省]")
    weights = (PROJECT / "dbt_project/policies/headwater_demo/weights_2025.csv").read_text(encoding="utf-8")
    (file.parent / "weights_2025.csv").write_text(weights, encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    seconds, found = [], []
    for _ in range(3):
        began = time.process_time()
        found.append(in_force(home))
        seconds.append(time.process_time() - began)
    assert all(one is other for one, other in zip(found[0].policies, found[2].policies, strict=True))
    assert found[0].plans["headwater_demo"] is found[2].plans["headwater_demo"]
    assert min(seconds[1:]) < seconds[0] / 5
    file.write_text(text.replace("by_cost: 0.85", "by_cost: 0.8"), encoding="utf-8")
    with pytest.raises(Refusal, match="E-POLICY-TEST"):
        in_force(home)
    file.write_text(text, encoding="utf-8")
    assert in_force(home).holdings == found[0].holdings
