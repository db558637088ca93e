"""Every registered thing against every check of its kind, and proof that each check can fail."""

import importlib
import pkgutil
from functools import partial
from pathlib import Path

import pytest

import headwater.adapters.river
import headwater.adapters.tenseal
import headwater.claims.coding.kinds
import headwater.evolution.detectors
import headwater.security
import headwater.statistics.feature_maps
import headwater.valuation.methods
from headwater.checks import (
    CODING_SUITE,
    DETECTOR_SUITE,
    FEATURE_MAP_SUITE,
    GROUPING_SUITE,
    METHOD_SUITE,
    PROTECTION_SUITE,
    STATISTIC_SUITE,
    CheckFailure,
)
from headwater.claims.coding import KINDS, Matcher
from headwater.claims.grouping import load_plan
from headwater.evolution import DETECTORS
from headwater.security import PROTECTIONS
from headwater.statistics import STATISTICS
from headwater.statistics.feature_maps import FEATURE_MAPS
from headwater.valuation import METHODS

MATCHERS = {kind: partial(Matcher.fit, kind=kind) for kind in KINDS}
PLANS = {
    folder.name: load_plan(folder)
    for folder in sorted((Path(__file__).parents[2] / "dbt_project" / "plans").iterdir())
    if folder.is_dir()
}
ADAPTED = {"ckks": "tenseal", "adwin": "river", "kswin": "river", "page_hinkley": "river"}
"""Protections and detectors that stand in the file of an outside tool."""
PAIRS = (
    (STATISTIC_SUITE, STATISTICS),
    (FEATURE_MAP_SUITE, FEATURE_MAPS),
    (METHOD_SUITE, METHODS),
    (PROTECTION_SUITE, PROTECTIONS),
    (DETECTOR_SUITE, DETECTORS),
    (CODING_SUITE, MATCHERS),
    (GROUPING_SUITE, PLANS),
)
CASES = [
    pytest.param(registry[name], check, id=f"{suite.kind}-{name}-{check.__name__}")
    for suite, registry in PAIRS
    for name, check in suite.cases(registry)
]


@pytest.mark.parametrize(("thing", "check"), CASES)
def test_conforms(thing, check):
    check(thing)


def test_nothing_is_left_out():
    counts = {suite.kind: (len(registry), len(suite.checks)) for suite, registry in PAIRS}
    assert counts == {
        "statistic": (5, 9),
        "feature map": (5, 9),
        "valuation method": (7, 10),
        "protection": (3, 18),
        "detector": (6, 9),
        "matcher": (5, 11),
        "grouping plan": (1, 12),
    }
    assert len(CASES) == sum(things * checks for things, checks in counts.values()) == 335


@pytest.mark.parametrize("suite", [suite for suite, _ in PAIRS], ids=lambda suite: suite.kind)
def test_every_check_of_the_module_is_in_the_suite(suite):
    module = importlib.import_module(suite.checks[0].__module__)
    written = {name for name in vars(module) if name.startswith("check_")}
    assert {check.__name__ for check in suite.checks} == written
    assert len(suite.checks) == len(written)


@pytest.mark.parametrize(
    ("package", "registry", "base"),
    [
        (headwater.statistics.feature_maps, FEATURE_MAPS, {"lifted"}),
        (headwater.valuation.methods, METHODS, set()),
        (
            headwater.security,
            {name for name in PROTECTIONS if name not in ADAPTED},
            {
                *("at_once", "audit", "divergence", "events", "guarded", "requirement", "tally", "task"),
                *(
                    "desk",
                    "identity",
                    "limbs",
                    "masking",
                    "noise",
                    "packing",
                    "pact",
                    "protection",
                    "refusals",
                    "single",
                ),
                *("gaussian_noise", "shared_noise"),
            },
        ),
        (headwater.evolution.detectors, {name for name in DETECTORS if name not in ADAPTED}, set()),
        (headwater.claims.coding.kinds, KINDS, {"clinical", "common", "contrasts", "kind", "telling"}),
    ],
    ids=["feature_maps", "methods", "protections", "detectors", "kinds"],
)
def test_every_file_registers_its_stem(package, registry, base):
    stems = {module.name for module in pkgutil.iter_modules(package.__path__)} - base
    assert stems == set(registry)
    assert stems
    for stem in stems:
        room = Path(package.__path__[0]).relative_to(Path(headwater.security.__path__[0]).parent)
        assert (Path(__file__).parents[1] / "unit" / room / f"test_{stem}.py").is_file(), (
            f"{room}/test_{stem}.py is missing"
        )


def test_failures_names_the_failed_checks():
    def breaks(thing: object) -> None:
        raise CheckFailure("always")

    def holds(thing: object) -> None:
        return None

    suite = type(METHOD_SUITE)("dummy", (breaks, holds))
    assert suite.failures(object()) == ["breaks"]
