"""Invented people: numbers, names and certificate numbers that look right and can belong to nobody."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["certificates", "check_digit", "names", "person_numbers", "phones"]

Indices = npt.NDArray[np.int64]

_SURNAMES = tuple(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
)
_GIVEN = tuple("安柏晨岱恩帆皋禾霁珂岚沐宁鸥沛清芮书棠惟溪妍泽舟昀朔桐砚穆槿栎泓澍澄笙野旻杉葭汀屿")
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)
# 99 is assigned to no province (GB/T 2260), so no such certificate exists.
_AREA = 990_000


def person_numbers(serial: Indices) -> pa.Array:
    """Return the 14-digit numbers of insured people."""
    return pc.cast(pa.array(serial + 42_000_000_000_000), pa.string())


def names(serial: Indices) -> pa.Array:
    """Return names of two or three characters; the same serial has the same name."""
    scattered = (serial.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)
    surname = pa.array(_SURNAMES).take(pa.array((scattered % np.uint64(len(_SURNAMES))).astype(np.int64)))
    first = pa.array(_GIVEN).take(pa.array((scattered // np.uint64(61) % np.uint64(len(_GIVEN))).astype(np.int64)))
    second = (scattered // np.uint64(7919) % np.uint64(len(_GIVEN) + 12)).astype(np.int64)
    last = pa.array((*_GIVEN, *[""] * 12)).take(pa.array(second))
    return pc.binary_join_element_wise(surname, first, last, "")


def phones(serial: Indices) -> pa.Array:
    """Return telephone numbers under the unassigned prefix 100."""
    return pc.cast(pa.array(10_000_000_000 + serial * 7_654_321 % 100_000_000), pa.string())


def certificates(serial: Indices, *, city: int, birth: Indices, male: npt.NDArray[np.bool_]) -> pa.Array:
    """Return 18-character certificate numbers with a valid check digit (GB 11643-1999).

    Parameters
    ----------
    serial : (n,) number of the person
    city : 0 to 98, third and fourth digit
    birth : (n,) days since 1970-01-01
    male : (n,) the 17th digit is odd for men
    """
    days = birth.astype("M8[D]")
    years = days.astype("M8[Y]").astype(np.int64) + 1970
    months = days.astype("M8[M]").astype(np.int64) % 12 + 1
    in_month = (days - days.astype("M8[M]")).astype(np.int64) + 1
    sequence = serial % 500 * 2 + male
    number = ((_AREA + city * 100 + 1) * 10**8 + years * 10**4 + months * 100 + in_month) * 1000 + sequence
    digits = number[:, None] // 10 ** np.arange(16, -1, -1) % 10
    characters = np.empty((len(serial), 18), dtype=np.uint8)
    characters[:, :17] = digits + ord("0")
    characters[:, 17] = _CHECK[digits @ _WEIGHTS % 11]
    return pc.cast(pa.array(characters.view("S18").ravel(), pa.binary()), pa.string())


def check_digit(first: str) -> str:
    """Return the 18th character that belongs to 17 digits.

    >>> check_digit("99000119491231002")
    '2'
    """
    return chr(_CHECK[int(np.array([int(digit) for digit in first]) @ _WEIGHTS) % 11])
