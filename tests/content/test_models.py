"""The model definitions in ``models/``, and what is refused there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from torch import nn

from headwater.content import models
from headwater.errors import Refusal
from headwater.statistics import Gram

PROJECT = Path(__file__).resolve().parents[2]
ROOM = PROJECT / "models"

GOOD = """
from headwater.content.models import ModelSpec, Training
from headwater.errors import Message
from headwater.statistics import FeatureMap, Gram, Numeric

SPEC = ModelSpec(
    name="length", title=Message("长", "length"), task="stay", learner="gram", target="days",
    features=FeatureMap(numeric=(Numeric("age", 50, 20),)),
)


def build(dim):
    return Gram(dim)
"""


def write(folder: Path, text: str, *, name: str = "length", card: str | None = "# card") -> Path:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    if card is not None:
        (folder / f"{name}.md").write_text(card, encoding="utf-8")
    return folder


def test_the_room_holds_exactly_these_models():
    assert models.names(ROOM) == ["stay_cost_network", "stay_cost_ridge"]


@pytest.mark.parametrize("name", models.names(ROOM))
def test_every_model_loads_with_a_card_in_both_languages(name):
    model = models.load(ROOM, name)
    assert model.spec.name == name
    assert model.spec.task == "stay_cost"
    assert len(model.card) > 500
    assert any("一" <= letter <= "鿿" for letter in model.card)


@pytest.mark.parametrize("name", models.names(ROOM))
def test_every_column_a_model_reads_is_in_the_contract_of_its_mart(name):
    spec = models.load(ROOM, name).spec
    contract = yaml.safe_load((PROJECT / "dbt_project/models/marts/features" / f"feat_{spec.task}.yml").read_text())
    declared = {c["name"]: c["data_type"] for c in contract["models"][0]["columns"]}
    assert {feature.name for feature in spec.features.numeric} <= {
        n for n, kind in declared.items() if kind == "double"
    }
    assert {c.name for c in spec.features.categorical} <= {n for n, kind in declared.items() if kind == "varchar"}
    assert declared[spec.target] == "double"


def test_a_ridge_answer_stays_within_twenty_kilobytes():
    model = models.load(ROOM, "stay_cost_ridge")
    gram = model.build(model.spec.features.dim)
    assert isinstance(gram, Gram)
    assert gram.statistic(np.zeros((0, gram.dim)), np.zeros(0)).nbytes <= 20_000


def test_the_network_has_one_output_and_ends_with_its_bias():
    model = models.load(ROOM, "stay_cost_network")
    network = model.build(model.spec.features.dim)
    assert isinstance(network, nn.Module)
    assert [parameter.numel() for parameter in network.parameters()][-1] == 1


def test_reading_the_definitions_does_not_import_pytorch_and_leaves_no_bytecode():
    code = (
        "import sys; from pathlib import Path; from headwater.content import models; "
        f"room = Path({str(ROOM)!r}); [models.load(room, name) for name in models.names(room)]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert not (ROOM / "__pycache__").exists()


def test_a_good_definition_is_read(tmp_path):
    model = models.load(write(tmp_path, GOOD), "length")
    assert model.build(2) == Gram(2)
    assert model.card == "# card"
    assert model.definition == tmp_path / "length.py"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name="length"', 'name="width"', "calls itself 'width'"),
        ('learner="gram"', 'learner="forest"', "'forest' is unknown"),
        ('target="days"', 'target="age"', "label is among the features"),
        ('target="days"', 'target=""', "task or target is empty"),
        ('target="days"', 'target="days", metrics=("auc",)', "unknown metric"),
        ('target="days"', 'target="days", metrics=()', "names no metric"),
        ('target="days"', 'target="days", ridge=0.0', "ridge must be above 0"),
        ('target="days"', 'target="days", training=Training(rounds=6)', "rounds must be 1 to 5"),
        ('target="days"', 'target="days", training=Training(epochs=0)', "epochs"),
        ('target="days"', 'target="days", training=Training(learning_rate=0.0)', "learning_rate"),
        ("SPEC =", "SPECIFICATION =", "has no SPEC"),
        ("def build", "def make", "has no build"),
    ],
)
def test_a_faulty_definition_is_refused_with_its_fault(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(Refusal, match=words) as refusal:
        models.load(write(tmp_path, GOOD.replace(old, new)), "length")
    assert refusal.value.code == "E-MODEL-INVALID"


def test_a_model_without_a_card_is_refused(tmp_path):
    with pytest.raises(Refusal, match="card is missing"):
        models.load(write(tmp_path, GOOD, card=None), "length")


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(Refusal, match="Known: length") as refusal:
        models.load(tmp_path, "../length")
    assert refusal.value.code == "E-MODEL-UNKNOWN"
