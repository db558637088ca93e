"""Whether a cleaned text still says the same: each kind of value read once more, by what its digits and letters are.

A record of cleaning says that a rule changed a text; this asks, in other words than the rule's, whether it changed the
value. Amounts keep their digits, dates their figures, codes and names their letters.
"""

from headwater.claims.canonical import Field
from headwater.claims.contract import ColumnRule

__all__ = ["MACROS", "keeps"]

_NUMERALS = "[〇零一二三四五六七八九十百壹贰貳叁參肆伍陆陸柒捌玖拾佰仟]"

MACROS = (
    # Letters without what cannot be seen, as small ones are large.
    "vf_bare(t) AS upper(regexp_replace(vf_narrow(t), '[\\s\\x{200B}-\\x{200F}\\x{202A}-\\x{202E}\\x{2060}"
    "\\x{2066}-\\x{2069}\\x{FEFF}]', '', 'g'))",
    "vf_amount(t) AS TRY_CAST(regexp_replace(vf_bare(t), '[^0-9.+-]', '', 'g') AS DECIMAL(24,8)) "
    "* CASE WHEN contains(t, '万') THEN 10000 ELSE 1 END",
    "vf_serial(t) AS TIMESTAMP '1899-12-30' + to_seconds(CAST(round(CASE WHEN regexp_full_match(t, "
    "'[1-7][0-9]{4}([.][0-9]+)?') THEN TRY_CAST(t AS DOUBLE) END * 86400) AS BIGINT))",
    # Figures in their order, two digits each after the year.
    "vf_figures(t) AS left(rpad(list_aggregate(list_transform(regexp_extract_all(vf_narrow(t), '[0-9]+'), "
    "x -> CASE WHEN length(x) < 2 THEN '0' || x ELSE x END), 'string_agg', ''), 14, '0'), 14)",
)
"""What :func:`keeps` needs, beside the macros of :mod:`headwater.claims.rereading`."""


def keeps(field: Field, rule: ColumnRule, *, text: str, value: str) -> str:
    """Return the condition that a value, not NULL, says what its delivered text says.

    Parameters
    ----------
    text, value : expressions of both
    """
    if rule.values:
        cases = " ".join(f"WHEN vf_bare({_literal(old)}) THEN vf_bare({_literal(new)})" for old, new in rule.values)
        return f"vf_bare(CAST({value} AS VARCHAR)) = CASE vf_bare({text}) {cases} ELSE vf_bare({text}) END"
    if field.type in ("text", "code"):
        bare = [f"vf_bare({side})" for side in (text, value)]
        return " = ".join(bare if rule.width is None else [f"ltrim({side}, '0')" for side in bare])
    if field.type in ("date", "time"):
        if rule.format is not None:
            return f"CAST(try_strptime(trim(vf_narrow({text})), {_literal(rule.format)}) AS TIMESTAMP) = {value}"
        figures, length = f"vf_figures({text})", 8 if field.type == "date" else 14
        written = f"left({figures}, {length}) = left(strftime({value}, '%Y%m%d%H%M%S'), {length})"
        return f"({written} OR CAST(vf_serial(vf_bare({text})) AS {'DATE' if length == 8 else 'TIMESTAMP'}) = {value})"
    scale = f" * {rule.scale}::DECIMAL(9,6)" if rule.scale else ""
    # Numerals in words are read by one table only; that a record tells them must do.
    return f"(regexp_matches({text}, '{_NUMERALS}') OR vf_amount({text}){scale} = {value})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
