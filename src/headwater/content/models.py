"""Model definitions: ``models/<name>.py`` (``SPEC`` and ``build``) with its card ``models/<name>.md``, read by path."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from headwater.errors import Message, Refusal
from headwater.statistics.features import FeatureMap

__all__ = ["LEARNERS", "METRICS", "Model", "ModelSpec", "Training", "load", "load_file", "names"]

LEARNERS = ("gram", "network")
"""``gram``: solved from one Gram statistic; ``network``: solved round by round from example-weighted updates."""

METRICS = ("mae", "r2_log")
"""``r2_log``: share of variance of ln(cost) explained; ``mae``: mean absolute error in the currency of the mart."""

_MAX_ROUNDS = 5


@dataclass(frozen=True)
class Training:
    """How a network is trained at each source.

    Parameters
    ----------
    rounds : exchanges between the sources and the bureau, at most 5
    epochs : passes over a source's own records in one round
    batch_size : records a step
    learning_rate : step size of Adam
    """

    rounds: int = 5
    epochs: int = 2
    batch_size: int = 256
    learning_rate: float = 0.003


@dataclass(frozen=True)
class ModelSpec:
    """What a model learns, from which features, and how it is judged.

    Parameters
    ----------
    name : the stem of the file
    title : shown to people
    task : what is predicted; models of one task compete for one champion
    learner : one of ``LEARNERS``
    target : column of the feature mart that holds the label
    features : public feature map; nothing is exchanged to standardise
    metrics : the figures reported, of ``METRICS``; the first decides about the champion
    ridge : L2 penalty of a ``gram`` learner, in units of records
    training : how a ``network`` learner is trained
    """

    name: str
    title: Message
    task: str
    learner: str
    target: str
    features: FeatureMap
    metrics: tuple[str, ...] = ("r2_log", "mae")
    ridge: float = 1.0
    training: Training = Training()


@dataclass(frozen=True)
class Model:
    """A definition that was read and found valid.

    Parameters
    ----------
    spec : the declaration
    build : ``build(dim)`` returns what is solved or trained for ``dim`` features: a ``Gram`` or a ``torch.nn.Module``
    definition : the file it was read from
    card : the text of its model card (Markdown), empty when read without one
    """

    spec: ModelSpec
    build: Callable[[int], object]
    definition: Path
    card: str


def names(folder: Path) -> list[str]:
    """Return the names of the models that ``folder`` defines."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load(folder: Path, name: str) -> Model:
    """Read ``<folder>/<name>.py`` and its card; refuse what is missing, inconsistent or out of bounds."""
    if name not in names(folder):
        known = ", ".join(names(folder))
        raise Refusal(
            "E-MODEL-UNKNOWN",
            Message(f"没有名为“{name}”的模型。", f"There is no model named {name!r}."),
            Message(f"可用：{known}。", f"Known: {known}."),
        )
    card = folder / f"{name}.md"
    if not card.is_file():
        raise _invalid(
            name, Message("缺少模型卡", "its card is missing"), Message(f"请编写 {card.name}", str(card.name))
        )
    return load_file(folder / f"{name}.py", name=name, card=card.read_text(encoding="utf-8"))


def load_file(path: Path, *, name: str | None = None, card: str = "") -> Model:
    """Read one definition from ``path``; ``name`` must equal the declared one when given."""
    module = _execute(path)
    spec, build = getattr(module, "SPEC", None), getattr(module, "build", None)
    if not isinstance(spec, ModelSpec):
        raise _invalid(path.stem, Message("没有 SPEC", "it has no SPEC"), Message("SPEC = ModelSpec(…)", "SPEC = …"))
    if not callable(build):
        raise _invalid(path.stem, Message("没有 build", "it has no build"), Message("def build(dim)", "def build(dim)"))
    fault = _fault(spec, name or spec.name)
    if fault is not None:
        raise _invalid(path.stem, fault, Message("请改正 SPEC", "correct SPEC"))
    return Model(spec=spec, build=build, definition=path, card=card)


def _execute(path: Path) -> ModuleType:
    # A name of its own, so that two folders may hold models of one name and neither shadows an installed package.
    module_spec = importlib.util.spec_from_file_location(f"headwater_content_models.{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise _invalid(path.stem, Message("无法读取", "it cannot be read"), Message(str(path), str(path)))
    module = importlib.util.module_from_spec(module_spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        module_spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def _fault(spec: ModelSpec, name: str) -> Message | None:
    """Return the first thing that is wrong with a declaration."""
    training = spec.training
    checks = (
        (spec.name == name, Message(f"名称 {spec.name} 与文件名不同", f"it calls itself {spec.name!r}, not {name!r}")),
        (spec.learner in LEARNERS, Message(f"未知 learner {spec.learner}", f"the learner {spec.learner!r} is unknown")),
        (bool(spec.metrics), Message("没有指标", "it names no metric")),
        (set(spec.metrics) <= set(METRICS), Message(f"未知指标 {spec.metrics}", f"unknown metric in {spec.metrics}")),
        (bool(spec.task and spec.target), Message("缺少 task 或 target", "task or target is empty")),
        (spec.target not in spec.features.columns, Message("特征中含有标签", "the label is among the features")),
        (spec.ridge > 0, Message("ridge 必须大于 0", "ridge must be above 0")),
        (1 <= training.rounds <= _MAX_ROUNDS, Message("rounds 应为 1–5", "rounds must be 1 to 5")),
        (
            training.epochs >= 1 and training.batch_size >= 1,
            Message("epochs、batch_size ≥ 1", "epochs, batch_size ≥ 1"),
        ),
        (training.learning_rate > 0, Message("learning_rate 必须大于 0", "learning_rate must be above 0")),
    )
    return next((message for holds, message in checks if not holds), None)


def _invalid(name: str, reason: Message, remedy: Message) -> Refusal:
    return Refusal(
        "E-MODEL-INVALID",
        Message(f"模型“{name}”无效：{reason.zh}。", f"The model {name!r} is invalid: {reason.en}."),
        Message(f"{remedy.zh}。", f"Needed: {remedy.en}."),
    )
