"""Signing: who decides, in one spelling, so that nobody is two people by typing a name in another way."""

import unicodedata

from headwater.errors import Message, Refusal

__all__ = ["repeated", "signature", "signed"]

_LIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}
"""Scripts whose letters look like each other's."""
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def signature(name: str) -> str:
    """Return what all spellings of one name share: width, case and blanks do not count.

    >>> signature(" Ｌｉ　Wei ") == signature("LI WEI")
    True
    """
    folded = unicodedata.normalize("NFKC", _spelled(name).casefold())
    return " ".join(folded.split())


def signed(given: tuple[str, str], *, code: str) -> tuple[str, str]:
    """Return who decides and why, as they are put down.

    Parameters
    ----------
    code : of the refusal

    Raises
    ------
    Refusal
        when either is missing, cannot be written, or the name can look like another person's
    """
    by, why = _spelled(given[0]), given[1].strip()
    # A reason may have lines; signs that nobody sees could make it read otherwise than it is.
    if not by or not why or _is_disguised(by) or any(_is_unseen(sign) for sign in why if sign not in "\r\n\t"):
        raise Refusal(
            code,
            Message("须写明决定人和理由。", "A decision needs a person and a reason."),
            Message(
                "补上二者；不含控制字符，姓名不混用字母文字。",
                "Give both, without control characters, and the name in letters of one script.",
            ),
        )
    return by, why


def repeated(code: str) -> Refusal:
    """Return the refusal of a request whose key was used for another one; ``code`` is the refusal's."""
    return Refusal(
        code,
        Message("同一请求号用于了不同的内容。", "One request key was used for two different requests."),
        Message("换一个请求号。", "Use another key."),
    )


def _spelled(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _is_disguised(name: str) -> bool:
    """Return whether a name can look like that of another person: with unseen signs, or letters of two scripts."""
    scripts = {unicodedata.name(sign, "").split(" ")[0] for sign in name if sign.isalpha()} & _LIKE
    return len(scripts) > 1 or any(map(_is_unseen, name))


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign) in _UNSEEN
