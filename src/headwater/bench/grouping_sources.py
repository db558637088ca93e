"""Stays to be grouped: foreign claims with their codes converted, and the simulated region.

Claims are real in kind (how many codes a stay has, how often each occurs), but their codes are of other editions.
They become Chinese ones by the first code that begins alike; ICD-9-CM diagnoses, which nothing in ICD-10 begins like,
by their place in the chapter. This says nothing of what a hospital was paid: it measures speed on the shape of claims.
"""

import bisect
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from headwater.bench.grouping_oracle import Case
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.reference import diseases, operations
from headwater.simulation.stays import blocks, draw

__all__ = ["Converter", "from_desynpuf", "from_sih", "from_simulation"]

_CHAPTERS = (
    *((139, "A", "B"), (239, "C", "D4"), (279, "E", "E"), (289, "D5", "D8"), (319, "F", "F"), (359, "G", "G")),
    *((379, "H0", "H5"), (389, "H6", "H9"), (459, "I", "I"), (519, "J", "J"), (579, "K", "K"), (629, "N", "N")),
    *((679, "O", "O"), (709, "L", "L"), (739, "M", "M"), (759, "Q", "Q"), (779, "P", "P"), (799, "R", "R")),
    (999, "S", "T"),
)
"""Last category of each chapter of ICD-9-CM and where the chapter begins and ends in ICD-10."""

_DESYNPUF = "DE1_0_2008_to_2010_Inpatient_Claims_Sample_{}.csv.gz"
_PEOPLE = "DE1_0_2008_Beneficiary_Summary_File_Sample_{}.csv.gz"


class Converter:
    """Turns codes of other editions into those of a plan.

    Parameters
    ----------
    diagnoses, operations : the codes that the plan's lists name
    """

    def __init__(self, diagnoses: Sequence[str], operations: Sequence[str]) -> None:
        self.diagnoses, self.operations = sorted(set(diagnoses)), sorted(set(operations))

    def icd10(self, code: str) -> str:
        """Return the first code that begins like an ICD-10 code without its point."""
        dotted = f"{code[:3]}.{code[3:]}" if code[3:] not in ("", "x00") else f"{code[:3]}."
        return _first(self.diagnoses, dotted) or _first(self.diagnoses, code[:3]) or code

    def icd9(self, code: str) -> str:
        """Return the code at the same place of the chapter as an ICD-9-CM diagnosis."""
        if not code[:3].isdigit():
            return _first(self.diagnoses, "Z" if code[:1] == "V" else "W") or code
        number, before = int(code[:3]), 0
        for last, first, end in _CHAPTERS:
            if number <= last:
                low, high = bisect.bisect_left(self.diagnoses, first), bisect.bisect_left(self.diagnoses, end + "~")
                share = (number - before) / (last + 1 - before)
                return self.diagnoses[min(low + int(share * (high - low)), len(self.diagnoses) - 1)]
            before = last + 1
        return code

    def case(self, case: Case) -> Case:
        """Return a stay whose codes, Chinese but of another edition, are those of the plan that begin alike."""
        diagnoses = [self.icd10(code.replace(".", "")) for code in case.diagnoses]
        return Case(diagnoses, [self.icd9_operation(code.replace(".", "")) for code in case.operations], case.numbers)

    def icd9_operation(self, code: str) -> str:
        """Return the first code that begins like an ICD-9-CM procedure without its point."""
        dotted = f"{code[:2]}.{code[2:]}"
        return _first(self.operations, dotted) or _first(self.operations, dotted[:4]) or code


def _first(codes: Sequence[str], start: str) -> str:
    place = bisect.bisect_left(codes, start)
    return codes[place] if place < len(codes) and codes[place].startswith(start) else ""


def from_desynpuf(data: Path, count: int, converter: Converter) -> list[Case]:
    """Return stays of the synthetic public use files of a foreign insurer, codes converted."""
    cases: list[Case] = []
    for sample in range(1, 10):
        if len(cases) < count:
            claims, people = (data / "desynpuf" / name.format(sample) for name in (_DESYNPUF, _PEOPLE))
            cases += [_american(row, converter) for row in _rows(_AMERICAN, (str(claims), str(people)))]
    return cases[:count]


_AMERICAN = """
select list_filter([{diagnoses}], code -> code is not null) as diagnoses,
       list_filter([{operations}], code -> code is not null) as operations,
       p.BENE_SEX_IDENT_CD as sex, p.BENE_BIRTH_DT as birth, c.CLM_ADMSN_DT as begun, c.CLM_UTLZTN_DAY_CNT as days
from read_csv(?, all_varchar = true) as c
left join read_csv(?, all_varchar = true) as p using (DESYNPUF_ID)
order by c.CLM_ID, c.SEGMENT
""".format(
    diagnoses=", ".join(f"ICD9_DGNS_CD_{at}" for at in range(1, 11)),
    operations=", ".join(f"ICD9_PRCDR_CD_{at}" for at in range(1, 7)),
)


def _american(row: Mapping[str, object], converter: Converter) -> Case:
    codes, done = row["diagnoses"], row["operations"]
    assert isinstance(codes, list)
    assert isinstance(done, list)
    born, begun = _day(row["birth"]), _day(row["begun"])
    days = float((begun - born).days) if born and begun else None
    numbers = {"SEX": _number(row["sex"]), "AGE_DAYS": days, "AGE_Y": None if days is None else float(days // 365.25)}
    return Case(
        [converter.icd9(code) for code in codes],
        [converter.icd9_operation(code) for code in done],
        {**numbers, "LOS_DAYS": _number(row["days"])},
    )


def from_sih(data: Path, count: int, converter: Converter) -> list[Case]:
    """Return stays of a foreign hospital information system, codes converted; its procedures have no counterpart."""
    file = next((data / "sih_rs_2019").glob("*.csv.gz"))
    return [_brazilian(row, converter) for row in _rows(_BRAZILIAN, (str(file), count))]


_BRAZILIAN = """
select list_filter([DIAG_PRINC, {others}], code -> code is not null and code <> '0000') as diagnoses,
       SEXO as sex, COD_IDADE as unit, IDADE as age, DIAS_PERM as days
from read_csv(?, all_varchar = true) limit ?
""".format(others=", ".join(f"DIAGSEC{at}" for at in range(1, 10)))


def _brazilian(row: Mapping[str, object], converter: Converter) -> Case:
    codes = row["diagnoses"]
    assert isinstance(codes, list)
    age, years = _number(row["age"]), row["unit"] == "4"
    span = {"2": 1.0, "3": 30.0}.get(str(row["unit"]), 365.25)
    numbers = {"SEX": {"1": 1.0, "3": 2.0}.get(str(row["sex"])), "AGE_Y": age if years else 0.0}
    numbers |= {"AGE_DAYS": None if age is None else age * span, "LOS_DAYS": _number(row["days"])}
    return Case([converter.icd10(code) for code in codes], (), numbers)


def _rows(query: str, values: Sequence[object]) -> Iterator[Mapping[str, object]]:
    with duckdb.connect() as connection:
        table: pa.Table = connection.execute(query, list(values)).to_arrow_table()
    yield from table.to_pylist()


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _day(value: object) -> date | None:
    text = str(value)
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text.isdigit() and len(text) == 8 else None


def from_simulation(count: int, *, seed: int) -> list[Case]:
    """Return stays of the simulated region as its hospitals record them."""
    region = Region(hospitals=4, months=4, stays=count + 64, seed=seed)
    illness, work = list(diseases().code), list(operations().code)
    cases: list[Case] = []
    for hospital in roster(region):
        for month in range(region.months):
            for place in blocks(region, hospital, month):
                stays = draw(place)
                for at in range(len(stays)):
                    codes = [int(stays.recorded[at]), *(code for code in stays.others[at].tolist() if code >= 0)]
                    done = [work[code] for code in stays.operations[at].tolist() if code >= 0]
                    days = float(stays.begin[at] // 1440 - stays.birth[at])
                    numbers = {"SEX": 1.0 if stays.male[at] else 2.0, "AGE_Y": float(stays.age[at]), "AGE_DAYS": days}
                    numbers |= {"LOS_DAYS": float(stays.days[at]), "DSCG_WAY": float(stays.way[at])}
                    cases.append(Case([illness[code] for code in codes], done, numbers))
    return cases[:count]
