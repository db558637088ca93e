"""What doctor says of coding: no reference, a reference that nothing was coded under yet, a matcher that is gone."""

import shutil

from headwater.adapters.doctor import PROBES


def found(bureau, name: str) -> tuple[str, str]:
    finding = PROBES[name](bureau.home)
    assert (finding.level == "good") == (finding.remedy.en == "" and finding.remedy.zh == "")
    return finding.level, f"{finding.found.en} {finding.remedy.en}"


def test_references_and_matchers_are_looked_at(bureau):
    assert found(bureau, "references")[0] == found(bureau, "matchers")[0] == "good"
    bureau.bill({"medins_list_codg": "1", "medins_list_name": "阿莫西林胶囊"})
    bureau.code()
    assert found(bureau, "references") == ("good", "there are references of drug ")
    assert found(bureau, "matchers")[0] == "good"
    bureau.refer("drug", bureau.drugs[:-1], since="2026-02-01")
    level, told = found(bureau, "matchers")
    assert (level, "drug" in told, "headwater code" in told) == ("warn", True, True)
    bureau.code()
    assert found(bureau, "matchers")[0] == "good"
    shutil.rmtree(bureau.home.matchers / "drug")
    level, told = found(bureau, "matchers")
    assert (level, "missing" in told, "--anew" in told) == ("warn", True, True)
    bureau.code(anew=True)
    assert found(bureau, "matchers")[0] == "good"
    bureau.deliver("service_item", {"fixmedins_code": "A", "medins_list_name": "血常规", "pric": 20})
    bureau.code()
    level, told = found(bureau, "references")
    assert (level, "service 1" in told, "reference load" in told) == ("warn", True, True)
