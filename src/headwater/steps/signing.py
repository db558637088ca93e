"""Who decides and why: the two words that stand under every decision of a person."""

import unicodedata

from headwater.errors import Message, Refusal

__all__ = ["signed"]

_LIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}
"""Scripts whose letters look like each other's."""


def signed(given: tuple[str, str], *, code: str) -> tuple[str, str]:
    """Return a person and a reason as they are put down.

    Parameters
    ----------
    code : of the refusal

    Raises
    ------
    Refusal
        when either is missing, or the name could look like that of another person
    """
    by, why = " ".join(unicodedata.normalize("NFKC", given[0]).split()), given[1].strip()
    if not by or not why or _disguised(by) or any(sign == "\x00" or unicodedata.category(sign) == "Cs" for sign in why):
        raise Refusal(
            code,
            Message("须写明决定人和理由。", "A decision needs a person and a reason."),
            Message(
                "补上二者；不含控制字符，姓名不混用字母文字。",
                "Give both, without control characters, and the name in letters of one script.",
            ),
        )
    return by, why


def _disguised(by: str) -> bool:
    """Return whether a name can look like that of another person: with unseen signs, or letters of two scripts."""
    scripts = {unicodedata.name(sign, "").split(" ")[0] for sign in by if sign.isalpha()} & _LIKE
    unseen = any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn") for sign in by)
    return unseen or len(scripts) > 1
