"""From a source contract to the SQL that reads text into a canonical table and names every fault.

Everything runs inside DuckDB: expressions here are strings built from canonical field names and quoted column names,
never from delivered values. Text that looks almost right is a fault; nothing is rounded, swapped or completed.
"""

from headwater.claims.canonical import Field, FieldType
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.reading import ROW
from headwater.errors import Message, Refusal

__all__ = ["BATCH", "ITEM", "SQL_TYPES", "faults_sql", "macros", "values_sql"]

BATCH = "__batch"
"""Name of the column that tells apart the files of one load: their number, from 0."""

ITEM = "__item"
"""Name of the column that tells apart several rows made from one delivered row: 0, or the slot's number."""

SQL_TYPES: dict[FieldType, str] = {
    "text": "VARCHAR",
    "code": "VARCHAR",
    "person": "VARCHAR",
    "identity": "VARCHAR",
    "integer": "BIGINT",
    "quantity": "DECIMAL(18,4)",
    "price": "DECIMAL(18,6)",
    "money": "DECIMAL(18,2)",
    "ratio": "DECIMAL(9,6)",
    "date": "DATE",
    "time": "TIMESTAMP",
}

_FULL = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000\u00a0￥"
_HALF = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)) + "  ¥"

_FAULT_OF: dict[FieldType, str] = {
    "integer": "E-NUMBER",
    "quantity": "E-NUMBER",
    "price": "E-NUMBER",
    "ratio": "E-NUMBER",
    "money": "E-MONEY",
    "date": "E-DATE",
    "time": "E-DATE",
}

_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.0+)?)?"

_IDENTITY = "[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
_CHECK_SUM = " + ".join(
    f"{2 ** (18 - place) % 11} * TRY_CAST(substr(t, {place}, 1) AS INTEGER)" for place in range(1, 18)
)

_DECIMALS = {"quantity": 4, "price": 6, "money": 2, "ratio": 6}


def macros() -> tuple[str, ...]:
    """Return the statements that define the readers; run them once on a connection.

    Amounts follow ``[-+]digits[.decimals]`` with optional, well-placed thousands separators; trailing zeros beyond the
    allowed decimals are harmless. Dates follow DOMAIN's list and year-first order only, so none is ambiguous.
    """
    full, half = _FULL.replace("'", "''"), _HALF.replace("'", "''")
    return (
        # The translation costs fifty times the search for something to translate.
        "CREATE OR REPLACE TEMP MACRO hw_fold(t) AS CASE WHEN strlen(t) > length(t) "
        f"AND regexp_matches(t, '[\uff01-\uff5e\u3000\u00a0￥]') THEN translate(t, '{full}', '{half}') ELSE t END",
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
        # GB 11643: six digits of region, date of birth, three of order, and a check character (ISO 7064 mod 11-2).
        # CASE, as both sides of AND would be computed for every row.
        "CREATE OR REPLACE TEMP MACRO hw_is_person(t) AS "
        f"CASE WHEN strlen(t) = 18 THEN CASE WHEN regexp_full_match(t, '{_IDENTITY}') "
        f"THEN substr('10X98765432', 1 + ({_CHECK_SUM}) % 11, 1) = upper(substr(t, 18, 1)) "
        "ELSE false END ELSE false END",
        "CREATE OR REPLACE TEMP MACRO hw_digits(t) AS replace(ltrim(t, '¥'), ',', '')",
        "CREATE OR REPLACE TEMP MACRO hw_is_number(t, pattern) AS regexp_full_match(t, "
        "'¥?[-+]?(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})' || pattern)",
        "CREATE OR REPLACE TEMP MACRO hw_serial(t) AS TIMESTAMP '1899-12-30' "
        "+ to_seconds(CAST(round(CAST(t AS DOUBLE) * 86400) AS BIGINT))",
        # A four-digit year comes first in every accepted form; 24:00:00, zones and eras are not accepted.
        "CREATE OR REPLACE TEMP MACRO hw_time(t) AS CASE "
        f"WHEN regexp_full_match(t, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[ T]{_CLOCK})?') "
        "THEN TRY_CAST(t AS TIMESTAMP) "
        "WHEN regexp_full_match(t, '[0-9]{8}') THEN try_strptime(t, '%Y%m%d') "
        "WHEN regexp_full_match(t, '[0-9]{14}') THEN try_strptime(t, '%Y%m%d%H%M%S') "
        f"WHEN regexp_full_match(t, '[0-9]{{4}}/[0-9]{{1,2}}/[0-9]{{1,2}}(?: {_CLOCK})?') "
        "THEN TRY_CAST(replace(t, '/', '-') AS TIMESTAMP) "
        "WHEN regexp_full_match(t, '[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日') THEN try_strptime(t, '%Y年%m月%d日') "
        "WHEN regexp_full_match(t, '[1-7][0-9]{4}(?:\\.[0-9]+)?') THEN hw_serial(t) END",
    )


def values_sql(table: TableContract, *, relation: str, constants: dict[str, str]) -> str:
    """Return a SELECT of ``BATCH``, ``ROW``, ``ITEM`` and every canonical field, typed.

    What cannot be read is NULL; the text of fields that can be misread follows as ``text_<field>``.

    Parameters
    ----------
    relation : name of the relation of text columns
    constants : fields that the source's contract fixes as a whole, e.g. the currency
    """
    parts = []
    for item, rules in _slots(table):
        rules = {**{field: ColumnRule(value=value) for field, value in constants.items()}, **rules}
        used = [field for field in table.entity.fields if field.name in rules]
        # Each text is read once, in inner queries: the readers mention their argument often and would multiply.
        texts = ", ".join(f'{_text(field, rules[field.name])} AS "text_{field.name}"' for field in used)
        filled = ", ".join(f'{_emptied(field, table.nulls)} AS "text_{field.name}"' for field in used)
        columns = [f'{_value(field, rules.get(field.name))} AS "{field.name}"' for field in table.entity.fields]
        columns += [f'"text_{name}"' for name in _misreadable(table)]
        where = f" WHERE {_filled(table, item)}" if table.each is not None else ""
        parts.append(
            f'SELECT "{BATCH}", "{ROW}", {item} AS "{ITEM}", {", ".join(columns)} '
            f'FROM (SELECT "{BATCH}", "{ROW}", {filled} '
            f'FROM (SELECT "{BATCH}", "{ROW}", {texts} FROM {relation}{where}))'
        )
    return " UNION ALL ".join(parts)


def faults_sql(table: TableContract, *, typed: str, delivered_on: str) -> str:
    """Return a SELECT of ``BATCH``, ``ROW``, ``ITEM``, field, code, value: one row a fault.

    Parameters
    ----------
    typed : relation that :func:`values_sql` gave
    delivered_on : ISO date; later dates are faults
    """
    parts = _faults(table, delivered_on)
    # Few rows are faulty: one scan finds them, and only they are looked at fault by fault.
    anything = " OR ".join(f"coalesce({condition}, false)" for *_, condition in parts)
    faults = " UNION ALL ".join(
        f'SELECT "{BATCH}", "{ROW}", "{ITEM}", {_literal(field)}, {code}, {value} FROM faulty WHERE {condition}'
        for field, code, value, condition in parts
    )
    return f"WITH faulty AS MATERIALIZED (SELECT * FROM {typed} WHERE {anything}) {faults}"


def _faults(table: TableContract, delivered_on: str) -> list[tuple[str, str, str, str]]:
    """Return (field, code, shown value, condition) of every fault a row of the table can have."""
    misreadable = _misreadable(table)
    parts = []
    for field in table.entity.fields:
        rule = _rule_of(table, field)
        if rule is not None and rule.column is not None:
            parts += _field_faults(field, rule, misreadable=field.name in misreadable, delivered_on=delivered_on)
    if table.entity.name == "front_page":
        parts.append(("endtime", "'E-STAY-ORDER'", "CAST(endtime AS VARCHAR)", "endtime < begntime"))
    return parts


def _rule_of(table: TableContract, field: Field) -> ColumnRule | None:
    """Return the field's rule; slots of one table treat a field alike, so the first one that names it speaks."""
    return next((rules[field.name] for _, rules in _slots(table) if field.name in rules), None)


def _misreadable(table: TableContract) -> list[str]:
    names = []
    for field in table.entity.fields:
        rule = _rule_of(table, field)
        if rule is not None and rule.column is not None and (field.type in _FAULT_OF or rule.values):
            names.append(field.name)
    return names


def _slots(table: TableContract) -> list[tuple[int, dict[str, ColumnRule]]]:
    base = dict(table.columns)
    if table.each is None:
        return [(0, base)]
    slots = []
    for number, slot in enumerate(table.each.slots, start=1):
        rules = {**base, table.each.rank: ColumnRule(value=str(number))}
        rules |= {field: ColumnRule(column=column) for field, column in slot}
        slots.append((number, rules))
    return slots


def _filled(table: TableContract, item: int) -> str:
    if table.each is None:
        raise ValueError("only a table with slots has empty ones")
    words = ", ".join(_literal(word) for word in ("", *table.nulls))
    columns = [f"hw_text({_quoted(column)})" for _, column in table.each.slots[item - 1]]
    return "(" + " OR ".join(f"(hw_blank({column}) NOT IN ({words}))" for column in columns) + ")"


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(field: Field, rule: ColumnRule) -> str:
    """Return the expression of the field's text, folded and trimmed."""
    if rule.column is None:
        return _literal(rule.value or "")
    reader = "hw_text" if field.type in ("text", "person", "identity") else "hw_plain"
    text = f"{reader}({_quoted(rule.column)})"
    if rule.only is None:
        return text
    column, value = rule.only
    return f"CASE WHEN hw_plain({_quoted(column)}) = {_literal(value)} THEN {text} END"


def _emptied(field: Field, nulls: tuple[str, ...]) -> str:
    """Return the expression of the field's text with words that mean "empty" made NULL."""
    text = f'hw_blank("text_{field.name}")'
    for word in nulls:
        text = f"nullif({text}, {_literal(word)})"
    return text


def _value(field: Field, rule: ColumnRule | None) -> str:
    kind = SQL_TYPES[field.type]
    if rule is None:
        return f"NULL::{kind}"
    text = f'"text_{field.name}"'
    if rule.values:
        cases = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in rule.values)
        text = f"CASE {text} {cases} END"
    if field.type in ("text", "person", "identity"):
        return text
    if field.type == "code":
        return f"upper({text})"
    if field.type in ("date", "time"):
        return f"CAST({_time(text, rule)} AS {kind})"
    return _number(field, rule, text, kind)


def _time(text: str, rule: ColumnRule) -> str:
    return f"hw_time({text})" if rule.format is None else f"try_strptime({text}, {_literal(rule.format)})"


def _number(field: Field, rule: ColumnRule, text: str, kind: str) -> str:
    decimals = "(?:\\.0+)?" if field.type == "integer" else f"(?:\\.[0-9]{{1,{_DECIMALS[field.type]}}}0*)?"
    number = f"CASE WHEN hw_is_number({text}, '{decimals}') THEN TRY_CAST(hw_digits({text}) AS {kind}) END"
    if rule.scale is None:
        return number
    if field.type != "money":
        raise Refusal(
            "E-CONTRACT",
            Message(f"字段 {field.name} 不能使用 scale。", f"Field {field.name} cannot use scale."),
            Message("scale 仅用于金额。", "Only amounts may be scaled."),
        )
    scaled = f"({number} * {_decimal(rule.scale)})"
    # A cast would round: an amount that is not whole in the smaller unit is unreadable instead.
    return f"CASE WHEN {scaled} = TRY_CAST({scaled} AS {kind}) THEN TRY_CAST({scaled} AS {kind}) END"


def _decimal(scale: str) -> str:
    if not scale.replace(".", "", 1).isdigit() or not scale.isascii():
        raise Refusal(
            "E-CONTRACT",
            Message(f"scale 不是正的小数：{scale}。", f"scale is not a positive decimal: {scale}."),
            Message("例如 0.01。", "For example 0.01."),
        )
    return f"{scale}::DECIMAL(12,6)"


def _field_faults(
    field: Field, rule: ColumnRule, *, misreadable: bool, delivered_on: str
) -> list[tuple[str, str, str, str]]:
    """Return (field, code, shown value, condition) of every fault the field can have."""
    name, text = f'"{field.name}"', f'"text_{field.name}"'
    # Whatever a person's identifier looks like, it is never shown.
    shown = "NULL::VARCHAR" if field.type in ("person", "identity") else text if misreadable else name
    absent = f"{name} IS NULL AND {text} IS NULL" if misreadable else f"{name} IS NULL"
    faults = []
    if field.required:
        faults.append(("'E-REQUIRED'", absent))
    if rule.values:
        faults.append(("'E-VALUE-MAP'", f"{name} IS NULL AND {text} IS NOT NULL"))
    elif field.type in _FAULT_OF:
        faults.append((_unreadable_code(field, text), f"{name} IS NULL AND {text} IS NOT NULL"))
    if field.type in ("date", "time"):
        late = f"{name} >= DATE '{delivered_on}' + INTERVAL 1 DAY"
        faults.append(("'E-DATE-RANGE'", f"{name} < DATE '1900-01-01' OR {late}"))
    if field.type in ("code", "text"):
        faults.append(("'E-PERSON-ID'", f"hw_is_person({name})"))
    if field.type in ("code", "person", "identity"):
        faults.append(("'E-CODE-SCIENTIFIC'", f"regexp_full_match({name}, '[0-9]+(?:\\.[0-9]+)?E\\+[0-9]{{2,3}}')"))
    return [(field.name, code, shown, condition) for code, condition in faults]


def _unreadable_code(field: Field, text: str) -> str:
    if field.type != "money":
        return _literal(_FAULT_OF[field.type])
    return f"CASE WHEN hw_is_number({text}, '\\.[0-9]+') THEN 'E-MONEY-PRECISION' ELSE 'E-MONEY' END"
