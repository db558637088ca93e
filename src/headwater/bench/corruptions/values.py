"""Single columns rewritten: emptied, made constant, cut, recoded, garbled."""

import numpy as np

from headwater.bench.corruptions.corruption import corruption
from headwater.bench.corruptions.month import Month

__all__: list[str] = []

_WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


@corruption("入院科室整列为同一值", "admission department constant")
def _constant_department(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("adm_dept_name", lambda cell: "内科")


@corruption("性别整列为同一值", "sex constant")
def _constant_sex(month: Month, rng: np.random.Generator, strength: float) -> int:
    first = month.front.get("gend")[0]
    return month.front.change("gend", lambda cell: first)


@corruption("险种整列为空", "insurance type emptied")
def _emptied_insurance(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("insutype", lambda cell: "")


@corruption("开单科室整列为空", "ordering department emptied")
def _emptied_ordering_department(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("bilg_dept_name", lambda cell: "")


@corruption("百分之五的年龄为空", "five per cent of ages empty", strength=0.05)
def _some_ages_empty(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("age", lambda cell: "", month.front.some(rng, strength))


@corruption("百分之五的主诊断名称为空", "five per cent of diagnosis names empty", strength=0.05)
def _some_names_empty(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_maindiag_name", lambda cell: "", month.front.some(rng, strength))


@corruption("诊断编码截为三位", "diagnosis codes cut to three characters")
def _truncated_diagnosis_codes(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_maindiag_code", lambda cell: cell[:3])


@corruption("部分诊断编码截为三位", "a tenth of diagnosis codes cut to three characters", strength=0.1)
def _some_diagnosis_codes_truncated(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_maindiag_code", lambda cell: cell[:3], month.front.some(rng, strength))


@corruption("院内项目编码截短一位", "local item codes cut by one character")
def _truncated_item_codes(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.lines.change("medins_list_codg", lambda cell: cell[:-1])


@corruption("前导零丢失", "leading zeros lost")
def _leading_zeros_lost(month: Month, rng: np.random.Generator, strength: float) -> int:
    names = [name for name in ("med_list_codg", "medins_list_codg") if name in month.lines.places]
    return sum(month.lines.change(name, lambda cell: cell.lstrip("0") or "0") for name in names)


@corruption("诊断编码体系被更换", "another code system for diagnoses")
def _code_system_replaced(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change(
        "dscg_maindiag_code",
        lambda cell: f"{chr(65 + sum(map(ord, cell)) % 26)}{sum(map(ord, cell)) % 90 + 10}.{len(cell)}",
    )


@corruption("诊断改用 ICD-9 编码", "diagnoses in ICD-9 codes")
def _diagnoses_in_icd9(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_maindiag_code", lambda cell: f"{100 + sum(map(ord, cell)) % 800}.{len(cell) % 10}")


@corruption("国家目录编码被更换", "another system of national item codes", strength=0.3)
def _item_codes_replaced(month: Month, rng: np.random.Generator, strength: float) -> int:
    name = "med_list_codg" if "med_list_codg" in month.lines.places else "medins_list_codg"
    return month.lines.change(name, lambda cell: f"Z{cell[::-1]}", month.lines.some(rng, strength))


@corruption("中文名称成乱码", "names garbled")
def _mojibake_names(month: Month, rng: np.random.Generator, strength: float) -> int:
    def garbled(cell: str) -> str:
        return cell.encode("utf-8").decode("gb18030", "replace")

    return month.lines.change("medins_list_name", garbled)


@corruption("部分名称成问号", "some names turned into question marks", strength=0.2)
def _names_in_question_marks(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_maindiag_name", lambda cell: "?" * len(cell), month.front.some(rng, strength))


@corruption("编码与名称全部为全角", "codes and names in full-width characters")
def _full_width_everything(month: Month, rng: np.random.Generator, strength: float) -> int:
    return sum(month.lines.change(name, lambda cell: cell.translate(_WIDE)) for name in ("medins_list_name",))


@corruption("文件含无法解码的字节", "bytes that no encoding explains")
def _broken_encoding(month: Month, rng: np.random.Generator, strength: float) -> int:
    month.front.spoil.append(lambda content: content[:400] + b"\xff\xfe\x80\xff" + content[400:])
    return len(month.front.rows)


@corruption("同一文件混用两种编码", "two encodings in one file")
def _mixed_encodings(month: Month, rng: np.random.Generator, strength: float) -> int:
    other = "gb18030" if month.front.encoding != "gb18030" else "utf-8"
    added = "\n".join(",".join(row) for row in month.front.rows[:20]).encode(other)
    month.front.spoil.append(lambda content: content + added)
    return 20


@corruption("科室名称换了写法", "departments spelled otherwise", strength=0.3)
def _departments_renamed(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("dscg_dept_name", lambda cell: f"{cell}病区", month.front.some(rng, strength))


@corruption("性别颠倒", "sex flipped")
def _sex_flipped(month: Month, rng: np.random.Generator, strength: float) -> int:
    known = sorted(set(month.front.get("gend")) - {""})[:2]
    return month.front.change("gend", dict(zip(known, reversed(known), strict=True)).__getitem__)


@corruption("年龄一律加十岁", "ages ten years too high")
def _ages_plus_ten(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change("age", lambda cell: str(int(cell) + 10) if cell.isdigit() else cell)


@corruption("部分年龄与出生日期不符", "some ages unlike the birth dates", strength=0.1)
def _ages_against_birth(month: Month, rng: np.random.Generator, strength: float) -> int:
    rows = month.front.some(rng, strength)
    return month.front.change("age", lambda cell: str(int(cell) + 7) if cell.isdigit() else cell, rows)


@corruption("离院方式几乎都是死亡", "a third of discharges recorded as deaths", strength=0.33)
def _discharge_way_replaced(month: Month, rng: np.random.Generator, strength: float) -> int:
    codes = month.front.get("dscg_way")
    death = "死亡" if "医嘱离院" in codes else "5"
    return month.front.change("dscg_way", lambda cell: death, month.front.some(rng, strength))


@corruption("文本字段中出现身份证号", "identity numbers in a text field", strength=0.02)
def _identity_numbers_in_text(month: Month, rng: np.random.Generator, strength: float) -> int:
    return month.front.change(
        "adm_dept_name", lambda cell: f"{cell} 99010119600101123X", month.front.some(rng, strength)
    )
