"""A small plan in the published layout: every kind of rule that the published plans have, in two dozen codes."""

import json
from pathlib import Path

import pytest

from headwater.claims.grouping import Plan, load_plan

DIAGNOSES = {
    "A17.000+G01*": "结核性脑膜炎",
    "B20.001": "人类免疫缺陷病",
    "C50.900": "乳房恶性肿瘤",
    "C61.x00": "前列腺恶性肿瘤",
    "I10.x00x002": "高血压",
    "I63.900": "脑梗死",
    "J18.900": "肺炎",
    "J96.000": "急性呼吸衰竭",
    "P07.300": "早产婴儿",
    "S06.500": "硬膜下血肿",
    "S22.300": "肋骨骨折",
    "S72.000": "股骨颈骨折",
    "Z51.103": "化学治疗",
}
OPERATIONS = {
    "01.2400": "开颅术",
    "37.5100": "心脏移植",
    "40.2300": "腋淋巴结切除",
    "55.6100": "肾移植",
    "52.8000": "胰腺移植",
    "60.5x02": "前列腺根治术",
    "85.4300": "乳房切除",
    "85.5300": "乳房假体",
    "99.2503": "化疗",
}
VALID = [code for code in OPERATIONS if code != "99.2503"]


def _group(entry: str, order: list[str] | None = None, **lists: list[str]) -> dict:
    return {"lists": lists, "entry": [entry]} | ({"adrg_order": order} if order else {})


RULES = {
    "version": "small",
    "mdc_order": ["MDCA", "MDCP", "MDCZ", "MDCM", "MDCB", "MDCJ", "MDCR", "MDCY"],
    "mdc": {
        "MDCA": _group("(MAINOP in SS_VALID)", ["AC1", "AA1"], mdc_zd=[]),
        "MDCP": _group("PDX in mdc_zd and (int(AGE_Y) == 0)", ["PS1", "PS2", "PV1"], mdc_zd=["P07.300", "J18.900"]),
        "MDCZ": _group(
            "PDX in mdc_zd",
            ["ZB1", "ZZ1"],
            mdc_zd=["头颈部创伤", "S06.500", "胸部创伤", "S22.300", "下肢创伤", "S72.000"],
        ),
        "MDCM": _group("PDX in mdc_zd and (SEX == 1)", ["MA1", "MR1"], mdc_zd=["C61.x00"]),
        "MDCB": _group(
            "PDX in mdc_zd",
            ["BB1", "BR1", "BZ1"],
            mdc_zd=["I63.900", "S06.500", "A17.000+G01*", "J18.900", "I10.x00x002"],
        ),
        "MDCJ": _group("PDX in mdc_zd", ["JA1", "JR1"], mdc_zd=["C50.900"]),
        "MDCR": _group("PDX in mdc_zd", ["RE1", "RU1"], mdc_zd=["Z51.103"]),
        "MDCY": _group("ANYDX in mdc_zd", ["YR1"], mdc_zd=["B20.001"]),
    },
    "adrg": {
        "AC1": _group("ANYOP in adrg_ss and ANYOP in adrg_ss1", adrg_ss=["52.8000"], adrg_ss1=["55.6100"]),
        "AA1": _group("(MAINOP in adrg_ss)", adrg_ss=["37.5100"]),
        "PS1": _group("ANYDX in adrg_zd and (BIRTH_WT_G < 1500) and (AGE_DAYS <= 28)", adrg_zd=["P07.300"]),
        "PS2": _group(
            "(BIRTH_WT_G >= 1500) and (BIRTH_WT_G < 2500) and (AGE_DAYS <= 28)",
        ),
        "PV1": _group("ALWAYS"),
        "ZB1": _group("(MAINOP in adrg_ss)", adrg_ss=["01.2400"]),
        "ZZ1": _group("(not ANYOP in SS_VALID)"),
        "MA1": _group("(MAINOP in adrg_ss)", adrg_ss=["60.5x02"]),
        "MR1": _group("PDX in adrg_zd", adrg_zd=["C61.x00"]),
        "BB1": _group("PDX in adrg_zd and (MAINOP in adrg_ss)", adrg_zd=["I63.900", "S06.500"], adrg_ss=["01.2400"]),
        "BR1": _group("PDX in adrg_zd", adrg_zd=["I63.900"]),
        "BZ1": _group("PDX in adrg_zd", adrg_zd=["A17.000+G01*", "I10.x00x002"]),
        "JA1": _group(
            "PDX in adrg_zd and ('1' in ss_matched and '2' in ss_matched or ('1' in ss_matched and '4' in ss_matched))",
            adrg_zd=["C50.900"],
            adrg_ss=["85.5300", "85.4300", "40.2300"],
            adrg_ss1=["1", "2", "4"],
        ),
        "JR1": _group("PDX in adrg_zd", adrg_zd=["C50.900"]),
        "RE1": _group("ANYOP in adrg_ss and SDX in adrg_zd1", adrg_ss=["99.2503"], adrg_zd1=["C50.900"]),
        "RU1": _group("PDX in adrg_zd", adrg_zd=["Z51.103"]),
        "YR1": _group("ALWAYS"),
    },
    "drg": {
        **{
            code: ["ALWAYS"]
            for code in ("AC19", "AA19", "PS19", "PS29", "PV19", "ZB19", "ZZ19", "MA19", "MR19", "BZ19", "JA19")
        },
        **{"BB11": ["MCC"], "BB15": ["ALWAYS"], "BR11": ["MCC"], "BR13": ["(MCC or CC)"], "BR15": ["ALWAYS"]},
        **{"JR1D": ["AGE_Y <= 6 and (MCC or CC)"], "JR19": ["ALWAYS"], "YR19": ["ALWAYS"]},
        **{"RE12": ["7 <= LOS_DAYS < 14"], "RE14": ["LOS_DAYS == 1"], "RU19": ["ALWAYS"]},
    },
}
PAIRS = {
    "CC": {"I10.x00x002": "2", "S22.300": "5"},
    "MCC": {"J96.000": "1", "A17.000+G01*": "3"},
    "CCE": {"J18.900": "1", "I63.900": "2"},
    "SS_VALID": {code: OPERATIONS[code] for code in VALID},
    "ZD_INFO": DIAGNOSES,
    "SS_INFO": OPERATIONS,
    "ZD_MAP": {"I63.901": "I63.900", "J18.900": "J96.000", "I63.900": "I63.900"},
    "SS_MAP": {"01.2499": "01.2400"},
}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the small plan; its table of MCC begins with a byte order mark, as a real one does."""
    folder = tmp_path_factory.mktemp("small_plan")
    names = dict.fromkeys(RULES["drg"], "组") | {"BQY": "神经系统，手术与主要诊断无关"}
    (folder / "rules.json").write_text(json.dumps({**RULES, "drg_names": names}, ensure_ascii=False), encoding="utf-8")
    for name, pairs in PAIRS.items():
        text = "".join(f"{code} {value}\n" for code, value in pairs.items())
        (folder / f"{name}.dat").write_text(text, encoding="utf-8-sig" if name == "MCC" else "utf-8")
    return folder


@pytest.fixture(scope="session")
def plan(published: Path) -> Plan:
    return load_plan(published)
