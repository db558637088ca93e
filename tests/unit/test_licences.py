"""What the lock holds may be used and passed on by anybody: no copyleft, no source-available terms."""

import re
from importlib import metadata
from pathlib import Path

import pytest

LOCK = (Path(__file__).parents[2] / "requirements.lock").read_text(encoding="utf-8").splitlines()
PINNED = sorted({re.split(r"[=\[ ;@]", line)[0] for line in LOCK if line and not line.startswith(("#", "-"))})
REFUSED = re.compile(
    r"(?<!L)(?<!Lesser )GPL|Affero|BUSL|Business Source|SSPL|Elastic License|Commons Clause|PolyForm", re.I
)
LESSER = re.compile(r"LGPL|Lesser General Public|Library or Lesser", re.I)
READ = {"huey": "MIT", "namex": "Apache-2.0", "text-unidecode": "Artistic-1.0 OR GPL-2.0-or-later"}
"""Packages whose metadata does not tell, by the licence that lies in them."""


def stated(package: str) -> str:
    """Return what a package says of its licence in the first place where it says anything."""
    if package in READ:
        return READ[package]
    said = metadata.metadata(package)
    classified = [line for line in said.get_all("Classifier") or [] if line.startswith("License")]
    return said.get("License-Expression") or "; ".join(classified) or (said.get("License") or "")[:200]


def is_refused(licence: str) -> bool:
    """Whether a licence is refused; of a choice one acceptable side is enough."""
    sides = re.split(r"\bOR\b", licence)
    return all(REFUSED.search(side) or ("General Public" in side and not LESSER.search(side)) for side in sides)


def test_the_lock_is_read() -> None:
    assert len(PINNED) > 100


@pytest.mark.parametrize("package", PINNED)
def test_no_pinned_package_has_a_refused_licence(package: str) -> None:
    assert stated(package)
    assert not is_refused(stated(package)), stated(package)


@pytest.mark.parametrize(
    ("licence", "refused"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("BUSL-1.1", True),
        ("MIT OR GPL-2.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-3.0-only", False),
        ("Apache-2.0", False),
    ],
)
def test_a_licence_is_judged(licence: str, refused: bool) -> None:
    assert is_refused(licence) == refused
