"""The readers as DuckDB macros: how a text is folded, trimmed, blanked, and read as number, time or identity number."""

__all__ = ["CLOCK", "macros"]

_FULL = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000\u00a0￥"
_HALF = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)) + "  ¥"
# Zero-width characters, marks of writing direction, and the byte order mark: never seen, never meant.
_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"

CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.0+)?)?"
"""A time of day, as a regular expression."""

_IDENTITY = "[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
_CHECK_SUM = " + ".join(
    f"{2 ** (18 - place) % 11} * TRY_CAST(substr(t, {place}, 1) AS INTEGER)" for place in range(1, 18)
)
_BORN = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}"
_RESEMBLING = (
    "(?:^|[^0-9])(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12])[0-9]{4}"
    f"(?:[0-9]{{2}}{_BORN}|(?:19|20)[0-9]{{2}}{_BORN}[0-9Xx])(?:[^0-9]|$)"
)
_DIGIT = "[0-9\uff10-\uff19]"
_PART = "[ .\u3000\u200b-\u200f\u2060\ufeff-]"


def macros() -> tuple[str, ...]:
    """Return the statements that define the readers; run them once on a connection.

    Amounts follow ``[-+]digits[.decimals]`` with optional, well-placed thousands separators; trailing zeros beyond the
    allowed decimals are harmless. Dates are read where the four-digit year comes first, so none is ambiguous.
    """
    return (*_texts(), *_persons(), *_numbers(), *_times())


def _texts() -> tuple[str, ...]:
    full, half = _FULL.replace("'", "''"), _HALF.replace("'", "''")
    return (
        # The translation costs fifty times the search for something to translate.
        "CREATE OR REPLACE TEMP MACRO hw_fold(t) AS CASE WHEN strlen(t) > length(t) "
        f"AND regexp_matches(t, '[\uff01-\uff5e\u3000\u00a0￥]') THEN translate(t, '{full}', '{half}') ELSE t END",
        "CREATE OR REPLACE TEMP MACRO hw_seen(t) AS CASE WHEN strlen(t) > length(t) "
        f"THEN regexp_replace(t, '[{_INVISIBLE}]', '', 'g') ELSE t END",
        "CREATE OR REPLACE TEMP MACRO hw_blank(t) AS CASE WHEN strlen(t) < 5 AND upper(t) IN "
        "('', 'NULL', '-', '--', '无', 'N/A', '\\N') THEN NULL ELSE t END",
        # So does trimming: it is done only where an end of the text shows that there is something to trim.
        "CREATE OR REPLACE TEMP MACRO hw_trim(t) AS CASE WHEN t < '!' OR suffix(t, ' ') OR suffix(t, E'\\t') "
        "OR suffix(t, E'\\r') OR suffix(t, E'\\n') THEN trim(t, E' \\t\\r\\n') ELSE t END",
        "CREATE OR REPLACE TEMP MACRO hw_text(t) AS CASE WHEN strlen(t) > length(t) "
        "AND regexp_matches(t, '^[ \\t\\r\\n\u3000\u00a0]|[ \\t\\r\\n\u3000\u00a0]$') "
        "THEN trim(t, E' \\t\\r\\n\u3000\u00a0') ELSE hw_trim(t) END",
        "CREATE OR REPLACE TEMP MACRO hw_plain(t) AS CASE WHEN strlen(t) > length(t) THEN hw_trim(hw_fold(t)) "
        "ELSE hw_trim(t) END",
    )


def _persons() -> tuple[str, ...]:
    return (
        # GB 11643: six digits of region, date of birth, three of order, and a check character (ISO 7064 mod 11-2).
        # CASE, as both sides of AND would be computed for every row.
        "CREATE OR REPLACE TEMP MACRO hw_is_person(t) AS "
        f"CASE WHEN strlen(t) = 18 THEN CASE WHEN regexp_full_match(t, '{_IDENTITY}') "
        f"THEN substr('10X98765432', 1 + ({_CHECK_SUM}) % 11, 1) = upper(substr(t, 18, 1)) "
        "ELSE false END ELSE false END",
        # The same anywhere in a text, its digits full-width or set apart by spaces or hyphens.
        "CREATE OR REPLACE TEMP MACRO hw_names_person(t) AS CASE WHEN length(t) >= 18 "
        "THEN len(list_filter(regexp_extract_all(regexp_replace(hw_fold(t), '([0-9])[ -]+', '\\1', 'g'), "
        "'[0-9]{17}[0-9Xx]'), x -> hw_is_person(x))) > 0 ELSE false END",
        # Numbers of 15 digits were issued before 1999. They have no check character, so codes of that length, which
        # many are, stay codes; in a text there is no reason for one, nor for one of 18 with a slip in it.
        "CREATE OR REPLACE TEMP MACRO hw_resembles_person(t) AS CASE WHEN length(t) >= 15 "
        "THEN regexp_matches(regexp_replace(hw_fold(t), '([0-9])[ -]+', '\\1', 'g'), "
        f"'{_RESEMBLING}') ELSE false END",
        # A value that holds something shaped like an identity number is masked, whatever field it stands in, and before
        # it is cut; what a separator or an exponent hides is masked as well.
        "CREATE OR REPLACE TEMP MACRO hw_masked(t) AS left(regexp_replace(t, "
        f"'{_DIGIT}(?:{_PART}?{_DIGIT}){{12,16}}{_PART}?(?:{_DIGIT}|[XxＸｘEe])(?:\\+[0-9]+)?', '***', 'g'), 64)",
    )


def _numbers() -> tuple[str, ...]:
    return (
        "CREATE OR REPLACE TEMP MACRO hw_is_number(t, pattern) AS regexp_full_match(t, "
        "'[-+]?(?:[0-9]{1,13}|[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9](?:,[0-9]{3}){4})' || pattern)",
    )


def _times() -> tuple[str, ...]:
    return (
        "CREATE OR REPLACE TEMP MACRO hw_serial(t) AS TIMESTAMP '1899-12-30' "
        "+ to_seconds(CAST(round(CAST(t AS DOUBLE) * 86400) AS BIGINT))",
        # A four-digit year comes first in every accepted form; 24:00:00, zones and eras are not accepted.
        "CREATE OR REPLACE TEMP MACRO hw_time(t) AS CASE "
        f"WHEN regexp_full_match(t, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[ T]{CLOCK})?') "
        "THEN TRY_CAST(t AS TIMESTAMP) "
        "WHEN regexp_full_match(t, '[0-9]{8}') THEN try_strptime(t, '%Y%m%d') "
        "WHEN regexp_full_match(t, '[0-9]{12}') THEN try_strptime(t, '%Y%m%d%H%M') "
        "WHEN regexp_full_match(t, '[0-9]{14}') THEN try_strptime(t, '%Y%m%d%H%M%S') "
        f"WHEN regexp_full_match(t, '[0-9]{{8}} {CLOCK}') THEN TRY_CAST(concat_ws('-', substr(t, 1, 4), "
        "substr(t, 5, 2), substr(t, 7)) AS TIMESTAMP) "
        f"WHEN regexp_full_match(t, '[0-9]{{4}}([/.])[0-9]{{1,2}}[/.][0-9]{{1,2}}(?: {CLOCK})?') "
        "AND substr(t, 5, 1) = substr(ltrim(substr(t, 6), '0123456789'), 1, 1) "
        "THEN TRY_CAST(regexp_replace(t, '^([0-9]+)[/.]([0-9]+)[/.]', '\\1-\\2-') AS TIMESTAMP) "
        f"WHEN regexp_full_match(t, '[0-9]{{4}}年[0-9]{{1,2}}月[0-9]{{1,2}}日(?: ?{CLOCK})?') "
        "THEN TRY_CAST(rtrim(regexp_replace(t, '^([0-9]+)年([0-9]+)月([0-9]+)日 ?', '\\1-\\2-\\3 ')) AS TIMESTAMP) "
        "WHEN regexp_full_match(t, "
        "'[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日 ?[0-9]{1,2}[时点][0-9]{1,2}分(?:[0-9]{1,2}秒)?') "
        "THEN TRY_CAST(regexp_replace(regexp_replace(t, '^([0-9]+)年([0-9]+)月([0-9]+)日 ?([0-9]+)[时点]([0-9]+)分', "
        "'\\1-\\2-\\3 \\4:\\5:'), '[:秒]$', '') AS TIMESTAMP) "
        "WHEN regexp_full_match(t, '[1-7][0-9]{4}(?:\\.[0-9]+)?') THEN hw_serial(t) END",
    )
