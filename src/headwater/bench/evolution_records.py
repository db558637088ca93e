"""Records in the order of real time, as sources and a target: what they are is told wherever a figure comes of them.

- ``sih``: real, Brazilian public hospitals of one state in the twelve months of 2019; log of the cost of a stay
- ``desynpuf``: synthetic (CMS DE-SynPUF), states in the 36 months of 2008–2010; log of the payment of a stay
- ``cms``: real, aggregated, hospital referral regions in the fiscal years 2012–14; log of a hospital's average charge

A part of the hospitals, states or regions, drawn by the seed, is the target, which keeps some of its records to train,
some to judge by, and the most to be tested on; the others with enough records are sources.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters.features import DataSeen, Region, Target
from headwater.adapters.learners import Ridge
from headwater.content.models import Model, ModelSpec
from headwater.errors import Message
from headwater.federation import TableSource
from headwater.statistics.features import Categorical, FeatureMap, Numeric
from headwater.statistics.gram import Gram

__all__ = ["RECORDS", "Records", "available", "region"]

_TARGET_SHARE = 0.25
_PARTS = (0.2, 0.4)
"""Of the target's records: up to here to train, up to here to judge by, all others to be tested on."""
_LABEL = "label"


@dataclass(frozen=True)
class Records:
    """One set of records.

    Parameters
    ----------
    read : from the folder of the data sets and the number of files to the records: ``group``, ``unit`` (what of the
        target is split), ``month``, the model's columns and the label
    folder : where under the data sets they lie
    origin : ``real`` or ``synthetic``
    fewest : records below which a group is no source, all months together; it is one from its fifth record on
    opening : months before the first model
    files : read at full size, and in the short run
    numeric, categorical : columns of the model, with the centre and scale of numbers, and the buckets of codes
    """

    read: Callable[[Path, int], pd.DataFrame]
    folder: str
    origin: str
    fewest: int
    opening: int
    files: tuple[int, int]
    numeric: tuple[Numeric, ...]
    categorical: tuple[Categorical, ...]

    @property
    def learner(self) -> Ridge:
        """The model that predicts the label."""
        spec = ModelSpec(
            name="real_time",
            title=Message("费用", "Cost"),
            task="real_time",
            learner="gram",
            target=_LABEL,
            features=FeatureMap(self.numeric, self.categorical),
            ridge=2.0,
        )
        return Ridge(Model(spec, Gram, Path(__file__), ""))


def available(data: Path | None) -> tuple[str, ...]:
    """Return the sets whose records are at hand."""
    return tuple(name for name, one in RECORDS.items() if data is not None and (data / one.folder).is_dir())


def region(records: Records, frame: pd.DataFrame, *, seed: int) -> Region:
    """Return sources and target as the platform has them, the target's groups and parts drawn by the seed."""
    rng = np.random.default_rng([seed, 14])
    groups, counts = np.unique(frame["group"].to_numpy(dtype=str), return_counts=True)
    own = set(rng.choice(groups, size=int(_TARGET_SHARE * len(groups)), replace=False).tolist())
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    units, inverse = np.unique(frame["unit"].to_numpy(dtype=str), return_inverse=True)
    place = np.searchsorted(_PARTS, rng.random(len(units))[inverse])
    is_own = frame["group"].isin(own).to_numpy()
    parts = [table.filter(pa.array(is_own & (place == part))) for part in range(3)]
    sources = tuple(
        TableSource(str(name), table.filter(pc.equal(table.column("group"), str(name))))
        for name, count in zip(groups, counts, strict=True)
        if name not in own and count >= records.fewest
    )
    return Region(
        name="target",
        currency="",
        origins=(records.origin,),
        data=DataSeen(records.folder, 0, "", table.num_rows),
        sources=sources,
        cities={source.source_id: "" for source in sources},
        stays={source.source_id: source.table.num_rows for source in sources},
        small={},
        target=Target(*parts),
        pooled=TableSource("pooled", table),
    )


@cache
def _sih(folder: Path, files: int) -> pd.DataFrame:
    raw = pd.read_csv(folder / "sih_rs_2019_10k.csv.gz", dtype=str)
    cost, left = raw["VAL_TOT"].astype(np.float64), raw["DT_SAIDA"]
    found = pd.DataFrame(
        {
            "group": raw["CNES"],
            "unit": raw.index.astype(str),
            "month": _months(left.str[:4], left.str[4:6]),
            "age": raw["IDADE"].astype(np.float64).where(raw["COD_IDADE"] == "4", 0.0),
            "log_days": np.log1p(raw["DIAS_PERM"].astype(np.float64)),
            "intensive": np.log1p(raw["UTI_MES_TO"].astype(np.float64)),
            "male": (raw["SEXO"] == "1").astype(np.float64),
            "elective": (raw["CAR_INT"] == "01").astype(np.float64),
            "complex": (raw["COMPLEX"] == "03").astype(np.float64),
            "chapter": raw["DIAG_PRINC"].str[0],
            "procedure": raw["PROC_REA"].str[:4],
            _LABEL: np.log(cost.where(cost > 0)),
        }
    ).dropna()
    # Few stays of the next year were billed with these.
    return found[found["month"] <= date(2019, 12, 1)]


@cache
def _desynpuf(folder: Path, files: int) -> pd.DataFrame:
    columns = ["PRVDR_NUM", "CLM_PMT_AMT", "CLM_UTLZTN_DAY_CNT", "CLM_DRG_CD", "NCH_BENE_DSCHRG_DT"]
    diagnoses, procedures = (
        [f"ICD9_{kind}_CD_{at}" for at in range(1, last)] for kind, last in (("DGNS", 11), ("PRCDR", 7))
    )
    names = [folder / f"DE1_0_2008_to_2010_Inpatient_Claims_Sample_{sample}.csv.gz" for sample in range(1, files + 1)]
    used = [*columns, *diagnoses, *procedures]
    raw = pd.concat([pd.read_csv(name, dtype=str, usecols=used) for name in names], ignore_index=True)
    paid, left = raw["CLM_PMT_AMT"].astype(np.float64), raw["NCH_BENE_DSCHRG_DT"]
    return pd.DataFrame(
        {
            "group": raw["PRVDR_NUM"].str[:2],
            "unit": raw.index.astype(str),
            "month": _months(left.str[:4], left.str[4:6]),
            "log_days": np.log1p(raw["CLM_UTLZTN_DAY_CNT"].astype(np.float64)),
            "diagnoses": raw[diagnoses].notna().sum(axis=1).astype(np.float64),
            "procedures": raw[procedures].notna().sum(axis=1).astype(np.float64),
            "drg": pd.to_numeric(raw["CLM_DRG_CD"], errors="coerce"),
            "chapter": raw["ICD9_DGNS_CD_1"].str[:1],
            _LABEL: np.log(paid.where(paid > 0)),
        }
    ).dropna()


@cache
def _cms(folder: Path, files: int) -> pd.DataFrame:
    raw = pd.read_csv(folder / "W271_hospital_FY2012_2014.tsv.gz", sep="\t", dtype={"PRVDR_NUM": str, "HRR": str})
    years = []
    for year in (2012, 2013, 2014):
        treated, charge = raw[f"N_FY{year}_DISCHARGES"], raw[f"FY{year}_AVG_CHG"]
        years.append(
            pd.DataFrame(
                {
                    "group": raw["HRR"],
                    "unit": raw["PRVDR_NUM"],
                    "month": date(year, 1, 1),
                    "log_treated": np.log(treated.where(treated > 0)),
                    "log_beds": np.log1p(raw["BED_CNT"]),
                    "urban": (raw["URBAN_RURAL_IND"] == "U").astype(np.float64),
                    "teaching": (raw["RESIDENCY_PROGRAM_IND"] == "Y").astype(np.float64),
                    "log_physicians": np.log1p(raw["N_PHYSICIANS"]),
                    "log_nurses": np.log1p(raw["N_NURSES"]),
                    "log_insured": np.log1p(raw["PART_A_BENEFICIARIES"]),
                    "owner": raw["TYPE_OF_OWNERSHIP"],
                    _LABEL: np.log(charge.where(charge > 0)),
                }
            ).dropna()
        )
    return pd.concat(years, ignore_index=True)


def _months(year: pd.Series, month: pd.Series) -> list[date]:
    return [date(int(one), int(other), 1) for one, other in zip(year, month, strict=True)]


RECORDS: Mapping[str, Records] = {
    "sih": Records(
        read=_sih,
        folder="sih_rs_2019",
        origin="real",
        fewest=30,
        opening=4,
        files=(1, 1),
        numeric=(
            Numeric("age", 45, 25),
            Numeric("log_days", 1.5, 0.8),
            Numeric("intensive", 0, 1),
            *(Numeric(name, 0.5, 0.5) for name in ("male", "elective", "complex")),
        ),
        categorical=(Categorical("chapter", 8), Categorical("procedure", 16)),
    ),
    "desynpuf": Records(
        read=_desynpuf,
        folder="desynpuf",
        origin="synthetic",
        fewest=100,
        opening=4,
        files=(9, 3),
        numeric=(
            Numeric("log_days", 1.7, 0.7),
            Numeric("diagnoses", 8, 2),
            Numeric("procedures", 2, 2),
            Numeric("drg", 400, 250),
        ),
        categorical=(Categorical("chapter", 6),),
    ),
    "cms": Records(
        read=_cms,
        folder="cms_ipps",
        origin="real, aggregated",
        fewest=15,
        opening=1,
        files=(1, 1),
        numeric=(
            Numeric("log_treated", 7.5, 1),
            Numeric("log_beds", 5, 1),
            Numeric("urban", 0.5, 0.5),
            Numeric("teaching", 0.5, 0.5),
            Numeric("log_physicians", 2, 1.5),
            Numeric("log_nurses", 5, 1),
            Numeric("log_insured", 11, 1),
        ),
        categorical=(Categorical("owner", 12),),
    ),
}
"""Every set by its name."""
