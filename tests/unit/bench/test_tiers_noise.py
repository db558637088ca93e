"""The audit of noise finds what is too little, and does not find what is enough."""

from headwater.bench.tiers_noise import audits
from headwater.checks.protections import seeded_entropy


def test_half_the_noise_is_caught_and_the_whole_is_not():
    found = audits(100_000, seeded_entropy(3))
    assert set(found) == {"alone", "alone_half", "shared", "shared_half"}
    for name in ("alone", "shared"):
        assert 0.5 < found[name] <= 1 < found[name + "_half"]
