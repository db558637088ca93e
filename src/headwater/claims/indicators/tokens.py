"""The words of a formula: what it may be spelled with, and where each word stands."""

import re
import unicodedata
from dataclasses import dataclass

from headwater.claims.indicators.faults import FormulaRefusal, Source, Span

__all__ = ["KEYWORDS", "LONGEST", "OPERATORS", "Token", "tokens"]

LONGEST = 2_000
"""Characters of the longest formula."""

KEYWORDS = frozenset(
    ["and", "or", "not", "in", "is", "missing", "known", "where", "distinct", "true", "false", "starts"]
)
OPERATORS = ("<=", ">=", "<>", "!=", "<", ">", "=", "+", "-", "*", "/", "(", ")", ",", ".", "%")

_LONGEST_TEXT = 200
_DIGITS = 15
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REF = re.compile(r"@[a-z][a-z0-9_]*")
# Greedy, so that 1e5, 0x10 and 1.2.3 are refused as a whole.
_NUMBER = re.compile(r"[0-9][0-9A-Za-z_.]*")
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?")
_IN_TEXT = " .-_/+()（）,，、:：·%~&#"
_COMMENTS = ("--", "/*", "*/", "//", "#")
# Signs of the Chinese keyboard, and letters of other alphabets, that look like those of a formula.
_MEANT = {
    **dict(zip("（），。；：＋－＊／＝＜＞％＂＇＿＠＃", "(),.;:+-*/=<>%\"'_@#", strict=True)),
    **dict(zip("“”‘’−–—×÷∕∗", "''''---*//*", strict=True)),
    **{"≤": "<=", "≥": ">=", "≠": "<>"},
    **dict(zip("аеорсухіѕАВЕКМНОРСТХ", "aeopcyxisABEKMHOPCTX", strict=True)),
}


@dataclass(frozen=True)
class Token:
    """A word.

    Parameters
    ----------
    kind : number, text, name, keyword, ref, operator or end
    text : as it is spelled; of a text what stands between the quotes, of a reference without its sign
    """

    kind: str
    text: str
    span: Span

    def says(self, *words: str) -> bool:
        """Tell whether this is one of these operators or keywords."""
        return self.kind in ("operator", "keyword") and self.text in words


def tokens(source: Source) -> list[Token]:
    """Return the words of a text, one that marks its end last.

    Raises
    ------
    FormulaRefusal
        at the first character that no word may hold, or where the text is too long
    """
    if len(source.text) > LONGEST:
        raise FormulaRefusal("too_long", source, Span(LONGEST, len(source.text)), limit=LONGEST)
    found: list[Token] = []
    at = 0
    while at < len(source.text):
        if source.text[at] in " \t\r\n":
            at += 1
            continue
        token = _token(source, at)
        found.append(token)
        at = token.span.end
    return [*found, Token("end", "", Span(at, at))]


def _token(source: Source, at: int) -> Token:
    text = source.text
    for comment in _COMMENTS:
        if text.startswith(comment, at):
            raise FormulaRefusal("comment", source, Span(at, at + len(comment)), shown=comment)
    if text[at] in "'\"":
        return _text(source, at)
    if found := _NUMBER.match(text, at):
        return _number(source, found)
    if found := _REF.match(text, at):
        return Token("ref", found[0][1:], Span(*found.span()))
    if found := _NAME.match(text, at):
        word = found[0]
        kind = "keyword" if word.lower() in KEYWORDS else "name"
        return Token(kind, word.lower() if kind == "keyword" else word, Span(*found.span()))
    for operator in OPERATORS:
        if text.startswith(operator, at):
            return Token("operator", operator, Span(at, at + len(operator)))
    raise _strange(source, at)


def _number(source: Source, found: re.Match[str]) -> Token:
    span = Span(*found.span())
    if not _PLAIN.fullmatch(found[0]) or len(found[0].replace(".", "")) > _DIGITS:
        raise FormulaRefusal("number", source, span, shown=found[0][:40])
    return Token("number", found[0], span)


def _text(source: Source, at: int) -> Token:
    quote = source.text[at]
    end = source.text.find(quote, at + 1)
    if end < 0:
        raise FormulaRefusal("open_text", source, Span(at, len(source.text)))
    body = source.text[at + 1 : end]
    for place, character in enumerate(body, at + 1):
        if not (character.isalnum() or character in _IN_TEXT) or unicodedata.combining(character):
            raise FormulaRefusal(
                "in_text", source, Span(place, place + 1), shown=_shown(character), known=_IN_TEXT.strip()
            )
    for comment in _COMMENTS[:-1]:
        if (place := body.find(comment)) >= 0:
            start = at + 1 + place
            raise FormulaRefusal("in_text", source, Span(start, start + 2), shown=comment, known=_IN_TEXT.strip())
    if len(body) > _LONGEST_TEXT:
        raise FormulaRefusal("too_long", source, Span(at, end + 1), limit=_LONGEST_TEXT)
    return Token("text", body, Span(at, end + 1))


def _strange(source: Source, at: int) -> FormulaRefusal:
    character, span = source.text[at], Span(at, at + 1)
    plain = unicodedata.normalize("NFKC", character)
    meant = _MEANT.get(character) or (plain if plain != character and plain.isascii() else None)
    if meant is not None and meant.strip():
        return FormulaRefusal("look_alike", source, span, shown=_shown(character), meant=meant)
    return FormulaRefusal("character", source, span, shown=_shown(character), known=" ".join(OPERATORS))


def _shown(character: str) -> str:
    """Return a character with its number and name, so that invisible ones and look-alikes can be told apart."""
    seen = character if character.isprintable() else ""
    return f"{seen} (U+{ord(character):04X} {unicodedata.name(character, 'no name')})".strip()
