"""Invented persons put where they do not belong, and the search for them in everything that the system wrote."""

import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.claims.pseudonyms import identity

__all__ = ["NUMBERS", "SOURCE", "found", "plant", "written"]

SOURCE = "canary"
"""The source in whose deliveries the invented persons stand."""

_OLD = ("110101900307851", "420106851204283", "320102630815196")
NUMBERS = tuple(number for old in _OLD if (read := identity(old)) for number in (read.number, old))
"""Identity numbers of persons that do not exist, each of 18 characters and of 15 digits."""

_FULL = str.maketrans("0123456789Xx", "０１２３４５６７８９Ｘｘ")
_CONTRACT = """
version: 2
sources:
  - name: canary
    config:
      meta:
        title: {zh: 演练医院, en: Rehearsal hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: canary
        hospital: {code: C1, level: "2", city: 江城, region: 楚源}
    tables:
      - name: front_page
        config:
          meta:
            files: "front_*.csv"
            columns:
              mdtrt_id: 就诊号
              setl_id: 结算号
              fixmedins_code: {value: C1}
              psn_no: 人员
              certno: 证件
              gend: 性别
              age: 年龄
              brdy: 出生
              begntime: 入院
              endtime: 出院
              ipt_days: 天数
              adm_dept_name: 科室
              dscg_maindiag_code: 诊断
              dscg_maindiag_name: 诊断名
              medfee_sumamt: 费用
              fund_pay_sumamt: 基金
      - name: fee_line
        config:
          meta:
            files: "fees_*.csv"
            columns:
              mdtrt_id: 就诊号
              feedetl_sn: 序号
              fee_ocur_time: 时间
              medins_list_codg: 编码
              medins_list_name: 名称
              cnt: 数量
              pric: 单价
              det_item_fee_sumamt: 金额
"""
_FRONT = "就诊号,结算号,人员,证件,性别,年龄,出生,入院,出院,天数,科室,诊断,诊断名,费用,基金,备注"
_FEES = "就诊号,序号,时间,编码,名称,数量,单价,金额"
_GOOD_FRONT = "M{n},S{n},P{n},,1,30,,2026-01-05,2026-01-08,3,内科,I10,高血压,100.00,80.00,"
_GOOD_FEE = "M{n},{n},2026-01-05,D1,药,2,1.5,3.00"
# An old number in a column of codes is left out: it has no check character, and many codes have 15 digits.
_CODES = {"就诊号", "结算号", "性别", "诊断", "序号", "编码"}
_PERSONAL = {"人员", "证件"}


def plant(inbox: Path) -> int:
    """Write the deliveries of :data:`SOURCE`, a person in every column in every writing; return how many cells."""
    folder = inbox / SOURCE
    contract = inbox / "contracts" / SOURCE / f"_{SOURCE}.yml"
    for made in (folder, contract.parent):
        made.mkdir(parents=True, exist_ok=True)
    contract.write_text(_CONTRACT, encoding="utf-8")
    planted = 0
    for name, head, good in (("front", _FRONT, _GOOD_FRONT), ("fees", _FEES, _GOOD_FEE)):
        rows = list(_rows(head, good))
        planted += len(rows)
        rows += [good.format(n=n) for n in range(9_000, 9_040)]
        rows += [f"M9990,{NUMBERS[0]}", good.format(n=9_991) + f",{NUMBERS[0]}"]
        for number, part in ((NUMBERS[0], rows[::2]), (NUMBERS[3], rows[1::2])):
            lines = "\n".join([head, *part])
            (folder / f"{name}_{number}_202601.csv").write_text(lines + "\n", encoding="utf-8")
    # What cannot be read is told as well.
    (folder / f"fees_{NUMBERS[2]}.csv").write_text(f"{NUMBERS[2]},{NUMBERS[4]}\n", encoding="utf-8")
    spaced = f"{NUMBERS[4][:6]} {NUMBERS[4][6:14]} {NUMBERS[4][14:]}"
    (folder / f"fees_{spaced.translate(_FULL)}.csv").write_text(f"{_FEES}\n{_GOOD_FEE.format(n=9_995)}\n", "utf-8")
    return planted + 4


def _rows(head: str, good: str) -> Iterator[str]:
    n = 0
    for place, column in enumerate(head.split(",")):
        for number in NUMBERS:
            if len(number) == 15 and column in _CODES:
                continue
            for text in _writings(number, column):
                n += 1
                cells = good.format(n=n).split(",")
                cells[place] = text
                yield ",".join(cells)


def _writings(number: str, column: str) -> list[str]:
    spaced = f"{number[:6]} {number[6:-4]} {number[-4:]}"
    plain = [number, number.lower(), number.translate(_FULL), f" {number}\u3000", spaced]
    if column in _PERSONAL:
        return plain
    return [*plain, spaced.replace(" ", "-"), f"患者{number}转入", f"{number[:8]}\u200b{number[8:]}", f"'{number}"]


def found(home: Home) -> list[str]:
    """Return where a number of :data:`NUMBERS` stands in what the system wrote outside the vault, in any writing."""
    needles = re.compile("|".join(NUMBERS))
    return [place for place, text in written(home) if needles.search(_plain(text))]


def _plain(text: str) -> str:
    """Undo what hides a number: width, case, letters without width, and what sets its digits apart."""
    plain = unicodedata.normalize("NFKC", text).upper()
    plain = re.sub("[\u200b-\u200f\u2060\ufeff]", "", plain)
    return re.sub(r"(?<=\d)[ ,.-]{1,2}(?=[\dX])", "", plain)


def written(home: Home) -> Iterator[tuple[str, str]]:
    """Yield everything the system keeps outside the vault and the inbox, decoded: its place and its text."""
    outside = (home.vault, home.deliveries, home.pgdata)
    for path in sorted(home.root.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(folder) for folder in outside):
            yield from _file(path, str(path.relative_to(home.root)))
    yield from _databases(home)


def _file(path: Path, place: str) -> Iterator[tuple[str, str]]:
    yield f"name of {place}", place
    yield place, path.read_bytes().decode("utf-8", "ignore")
    if path.suffix == ".parquet":
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT CAST(r AS VARCHAR) FROM read_parquet(?) AS r", [str(path)]).fetchall()
        yield from ((place, row[0]) for row in rows)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield f"{place}/{name}", archive.read(name).decode("utf-8", "ignore")


def _databases(home: Home) -> Iterator[tuple[str, str]]:
    """Yield the rows of every table, the lake's catalog with its smallest and greatest values among them."""
    for database in postgres.DATABASES:
        with psycopg.connect(postgres.dsn(home, database)) as connection:
            tables = connection.execute(
                "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
                "where schemaname not in ('pg_catalog', 'information_schema') order by 1"
            ).fetchall()
            for (table,) in tables:
                for (row,) in connection.execute(f"select t::text from {table} t").fetchall():
                    yield f"{database}.{table}", row + " " + _unhexed(row)


def _unhexed(text: str) -> str:
    """Return what bytes in a row say, where they say something."""
    return " ".join(
        bytes.fromhex(part).decode("utf-8", "ignore") for part in re.findall(r"\\x((?:[0-9a-f]{2})+)", text)
    )
