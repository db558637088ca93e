"""Shipped payment policies hold their own tests, follow each other without gap and know their plan's groups."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest

from headwater.claims.payment import Policy, load_policy

POLICIES = Path(__file__).resolve().parents[2] / "dbt_project" / "policies"
FOLDERS = sorted(folder for folder in POLICIES.iterdir() if folder.is_dir())


def load_policies(folder: Path) -> list[Policy]:
    policies = [load_policy(file) for file in sorted(folder.glob("*.yml"))]
    assert [f"{policy.valid_from}.yml" for policy in policies] == sorted(file.name for file in folder.glob("*.yml"))
    return policies


def test_there_are_two_versions_to_compare():
    assert [len(load_policies(folder)) for folder in FOLDERS if folder.name == "headwater_demo"] == [2]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_policies_hold_and_follow_each_other(folder: Path):
    policies = load_policies(folder)
    assert {policy.name for policy in policies} == {folder.name}
    for one, other in zip(policies, policies[1:], strict=False):
        assert one.valid_to == other.valid_from - timedelta(1)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_weights_are_of_groups_of_the_plan(folder: Path):
    for policy in load_policies(folder):
        groups = POLICIES.parent / "plans" / policy.plan / "drg.csv"
        with groups.open(encoding="utf-8", newline="") as opened:
            known = {row["code"]: row["adrg"] for row in csv.DictReader(opened)}
        assert set(policy.weights) <= set(known)
        assert set(policy.adrg_weights) <= set(known.values())
        assert len(policy.weights) > 0.9 * len(known)
