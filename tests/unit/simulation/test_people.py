from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headwater.simulation.people import certificates, check_digit, names, person_numbers


def _oracle(first: str) -> str:
    """ISO 7064 MOD 11-2 by its definition: the whole number is 1 modulo 11."""
    total = 0
    for digit in first:
        total = (total + int(digit)) * 2 % 11
    value = (12 - total) % 11
    return "X" if value == 10 else str(value)


@given(st.integers(10**16, 10**17 - 1).map(str))
def test_the_check_digit_is_that_of_iso_7064(first: str) -> None:
    assert check_digit(first) == _oracle(first)


@given(
    serial=st.integers(0, 10**10),
    city=st.integers(0, 98),
    birth=st.dates(date(1930, 1, 1), date(2025, 12, 31)),
    male=st.booleans(),
)
def test_a_certificate_tells_birth_and_sex_and_can_belong_to_nobody(
    serial: int, city: int, birth: date, male: bool
) -> None:
    days = np.array([(birth - date(1970, 1, 1)).days])
    number = certificates(np.array([serial]), city=city, birth=days, male=np.array([male])).to_pylist()[0]
    assert len(number) == 18
    assert number[:2] == "99"  # no province has this number
    assert number[6:14] == f"{birth:%Y%m%d}"
    assert int(number[16]) % 2 == male
    assert number[17] == _oracle(number[:17])


def test_a_wrong_last_character_is_noticed() -> None:
    number = certificates(np.array([5]), city=1, birth=np.array([4000]), male=np.array([True])).to_pylist()[0]
    broken = number[:3] + str((int(number[3]) + 1) % 10) + number[4:17]
    assert _oracle(broken) != number[17]


def test_numbers_and_names_depend_on_the_person_alone() -> None:
    serial = np.arange(2000)
    assert len(set(person_numbers(serial).to_pylist())) == 2000
    assert names(serial).to_pylist() == names(serial).to_pylist()
    assert {len(name) for name in names(serial).to_pylist()} == {2, 3}
