"""The bench of hostile deliveries, small: all refused, and a reader that does not refuse is found out."""

import json
from pathlib import Path

from headwater.adapters.home import Home
from headwater.bench import hostile
from headwater.bench.hostile_files import CLASSES, Hostile


def _home(folder: Path) -> Home:
    return Home(root=folder, project=Path(__file__).resolve().parents[3])


def test_every_quick_class_is_refused_within_the_memory(tmp_path: Path):
    figure = hostile.hostile_figure("ci", home=_home(tmp_path))
    outcomes = figure.also["classes"]
    assert set(outcomes) == {name for name, made in CLASSES.items() if made.quick}
    assert all(outcome["code"] in CLASSES[name].codes for name, outcome in outcomes.items())
    assert figure.also["worst_megabytes"] <= 300
    # Seconds depend on what else the machine does; whoever runs the bench judges them.
    assert all(" s, " in wrong for wrong in figure.also["failed"].values())
    json.dumps(figure.also)


def test_what_is_read_or_refused_for_another_reason_counts(tmp_path: Path, monkeypatch):
    made = {
        "harmless": Hostile("csv", ("E-FILE-SIZE",), lambda path, rng: path.write_text("c,n\n1,a\n")),
        "empty": Hostile("csv", ("E-FILE-SIZE",), lambda path, rng: path.write_text("")),
    }
    monkeypatch.setattr(
        hostile, "CLASSES", {name: Hostile(h.format, h.codes, h.write, None, True) for name, h in made.items()}
    )
    figure = hostile.hostile_figure("ci", home=_home(tmp_path))
    assert (figure.value, figure.holds) == (2, False)
    assert set(figure.also["failed"]) == {"harmless", "empty"}
