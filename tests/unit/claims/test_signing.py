"""One person under many spellings, and names that would pass for another's."""

import pytest

from headwater.claims.signing import signature, signed
from headwater.errors import Refusal


@pytest.mark.parametrize("other", ["LI wei", " li  Wei", "ｌｉ　ｗｅｉ", "Li\u00a0WEI\n"])
def test_width_case_and_blanks_make_no_other_person(other: str):
    assert signature(other) == signature("Li Wei")


def test_other_people_stay_others():
    assert len({signature(name) for name in ("Li Wei", "LiWei", "Li Wej", "李伟", "李玮")}) == 5


def test_what_is_put_down_is_readable():
    assert signed((" Ｌｉ  Wei", " 说明书\n第二条\t全文 "), code="E-WHO") == ("Li Wei", "说明书\n第二条\t全文")


@pytest.mark.parametrize(
    ("by", "why"),
    [
        *[("", "w"), (" ", "w"), ("li", " "), ("l\u0456", "w"), ("l\u200bi", "w")],
        *[("li", "\x00"), ("li", "\ud800"), ("li", "not\u202e paid"), ("li", "a\x1b[2Jb")],
    ],
)
def test_what_cannot_be_told_apart_or_written_is_refused(by: str, why: str):
    with pytest.raises(Refusal, match="^E-WHO:"):
        signed((by, why), code="E-WHO")
