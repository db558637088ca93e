"""From a source contract to the SQL that reads one column of text: its value, its fault, and what was cleaned.

Everything runs inside DuckDB over the distinct texts of a column: expressions here are built from canonical field
names, never from delivered values. Text that looks almost right is a fault; nothing is rounded, swapped or completed.
"""

from headwater.claims.canonical import Field, FieldType
from headwater.claims.contract import ColumnRule
from headwater.claims.macros import CLOCK
from headwater.errors import Message, Refusal

__all__ = ["PERSONAL", "SQL_TYPES", "reader_sql"]

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

PERSONAL: tuple[FieldType, ...] = ("person", "identity")
"""Types whose text never reaches SQL: :mod:`headwater.claims.pseudonyms` reads them."""

_NUMERIC: tuple[FieldType, ...] = ("integer", "quantity", "price", "money", "ratio")
_DECIMALS = {"quantity": 4, "price": 6, "money": 2, "ratio": 6}
# Most texts are of these forms, which need no cleaning and hold nothing that a code or a time may not hold.
_ORDINARY: dict[FieldType, str] = {
    "code": "[0-9A-Z]{1,17}",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "time": f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?: {CLOCK})?",
}
_CURRENCY = "¥|元|圆|RMB|CNY"


def reader_sql(field: Field, rule: ColumnRule, *, nulls: tuple[str, ...], delivered_on: str) -> str:
    """Return a SELECT from ``words(place, delivered, numeral)`` of what each delivered text means for the field.

    ``text`` is what was delivered, folded and trimmed, NULL where it means "empty"; ``code`` names the first fault;
    ``rules`` the cleaning rules that changed a text without fault, parted by spaces, and only then ``delivered`` and
    ``clean`` hold the text before and after. What looks like an identity number is masked in every text that is kept.

    Parameters
    ----------
    nulls : further words that mean "empty"
    delivered_on : ISO date; later dates are faults
    """
    plain = "hw_text(hw_seen(delivered))" if field.type == "text" else "hw_plain(hw_seen(delivered))"
    ordinary = _ORDINARY.get(field.type) if not rule.values and rule.width is None and rule.format is None else None
    if ordinary is not None:
        plain = f"CASE WHEN ordinary THEN delivered ELSE {plain} END"
    blank = "hw_blank(plain)"
    for word in nulls:
        blank = f"nullif({blank}, {_literal(word)})"
    notation = _notation(field, rule)
    # Each step is read once by the next: the readers mention their argument often and would multiply.
    return (
        "SELECT place, CASE WHEN code IS NULL THEN text ELSE hw_masked(text) END AS text, value, text IS NOT NULL AS "
        "filled, code, rules, CASE WHEN rules IS NOT NULL THEN hw_masked(delivered) END AS delivered, "
        "CASE WHEN rules IS NOT NULL THEN hw_masked(CAST(value AS VARCHAR)) END AS clean FROM ("
        "SELECT *, CASE WHEN code IS NULL AND (NOT ordinary OR text IS NULL) "
        f"THEN {_rules(field, rule)} END AS rules FROM ("
        f"SELECT *, {_code(field, rule, delivered_on)} AS code FROM ("
        f"SELECT *, {_value(field, rule)} AS value FROM ("
        f"SELECT *, {notation} AS noted FROM ("
        f"SELECT *, {blank} AS text FROM ("
        f"SELECT *, {plain} AS plain FROM ("
        f"SELECT *, {_matches(ordinary)} AS ordinary FROM words)))))))"
    )


def _matches(ordinary: str | None) -> str:
    return "false" if ordinary is None else f"regexp_full_match(delivered, '{ordinary}')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _notation(field: Field, rule: ColumnRule) -> str:
    """Return the expression of the text in the one notation that :func:`_value` reads."""
    if rule.values:
        cases = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in rule.values)
        return f"CASE text {cases} END"
    if field.type in _NUMERIC:
        bare = "text"
        # In a column of cents the word for yuan contradicts the contract.
        if field.type in ("money", "price") and rule.scale is None:
            sign_first = f"regexp_replace({bare}, '^(?:¥|RMB|CNY) ?([-+]?)|^([-+])¥', '\\1\\2')"
            bare = f"regexp_replace({sign_first}, ' ?(?:元|圆|RMB|CNY)$', '')"
        units = (*field.units, *rule.units)
        if units:
            words = "|".join(_pattern(unit) for unit in units)
            bare = f"regexp_replace({bare}, ' ?(?:{words})$', '')"
        return f"coalesce(numeral, {bare})" if rule.scale is None else bare
    if field.type == "code":
        code = "CASE WHEN ordinary THEN text ELSE upper(text) END"
        if rule.width is not None:
            short = f"regexp_full_match(text, '[0-9]{{1,{rule.width}}}')"
            code = f"CASE WHEN {short} THEN lpad(text, {rule.width}, '0') ELSE {code} END"
        return code
    return "text"


def _pattern(word: str) -> str:
    """Return a word as a regular expression inside a SQL literal."""
    return "".join(f"\\{letter}" if letter in r".*+?()|{}[]\^$" else letter for letter in word).replace("'", "''")


def _value(field: Field, rule: ColumnRule) -> str:
    kind = SQL_TYPES[field.type]
    if field.type == "text":
        return "noted"
    if field.type == "code":
        return "CASE WHEN ordinary THEN noted ELSE upper(noted) END"
    if field.type in ("date", "time"):
        time = "hw_time(noted)" if rule.format is None else f"try_strptime(noted, {_literal(rule.format)})"
        return f"CAST({time} AS {kind})"
    return _number(field, rule, kind)


def _number(field: Field, rule: ColumnRule, kind: str) -> str:
    decimals = "(?:\\.0+)?" if field.type == "integer" else f"(?:\\.[0-9]{{1,{_DECIMALS[field.type]}}}0*)?"
    number = f"CASE WHEN hw_is_number(noted, '{decimals}') THEN TRY_CAST(replace(noted, ',', '') AS {kind}) END"
    if field.type == "money" and rule.scale is None:
        ten_thousand = "TRY_CAST(replace(rtrim(noted, '万'), ',', '') AS DECIMAL(30,8)) * 10000"
        number = (
            f"CASE WHEN suffix(noted, '万') AND hw_is_number(rtrim(noted, '万'), '(?:\\.[0-9]{{1,6}})?') "
            f"THEN {_whole(ten_thousand, kind)} ELSE {number} END"
        )
    if rule.scale is None:
        return number
    if field.type != "money":
        raise Refusal(
            "E-CONTRACT",
            Message(f"字段 {field.name} 不能使用 scale。", f"Field {field.name} cannot use scale."),
            Message("scale 仅用于金额。", "Only amounts may be scaled."),
        )
    # Wide enough for any number of the notation, so that one too large is a fault and not an overflow.
    return _whole(f"(CAST({number} AS DECIMAL(24,2)) * {_decimal(rule.scale)})", kind)


def _whole(amount: str, kind: str) -> str:
    # A cast would round: an amount that is not whole in the smaller unit is unreadable instead.
    return f"CASE WHEN {amount} = TRY_CAST({amount} AS {kind}) THEN TRY_CAST({amount} AS {kind}) END"


def _decimal(scale: str) -> str:
    if not scale.replace(".", "", 1).isdigit() or not scale.isascii():
        raise Refusal(
            "E-CONTRACT",
            Message(f"scale 不是正的小数：{scale}。", f"scale is not a positive decimal: {scale}."),
            Message("例如 0.01。", "For example 0.01."),
        )
    return f"{scale}::DECIMAL(12,6)"


def _code(field: Field, rule: ColumnRule, delivered_on: str) -> str:
    """Return the expression of the first fault that the field can have in a text."""
    parts = []
    if field.required:
        parts.append(("text IS NULL", "'E-REQUIRED'"))
    unread = "value IS NULL AND text IS NOT NULL"
    if rule.values:
        parts.append((unread, "'E-VALUE-MAP'"))
    elif field.type in _NUMERIC:
        parts.append((unread, _unreadable_number(field)))
    elif field.type in ("date", "time"):
        ambiguous = "regexp_full_match(text, '[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{2}|[0-9]{4})(?: .*)?')"
        parts.append((unread, f"CASE WHEN {ambiguous} THEN 'E-DATE-AMBIGUOUS' ELSE 'E-DATE' END"))
    parts += _outside(field, delivered_on)
    if field.type == "code":
        parts.append(("ordinary", "NULL"))
    if field.type in ("code", "text"):
        parts.append(("hw_names_person(value)", "'E-PERSON-ID'"))
        parts.append(("contains(value, '\ufffd')", "'E-TEXT-DAMAGED'"))
    if field.type == "text":
        parts.append(("hw_resembles_person(value)", "'E-PERSON-ID'"))
    if field.type == "code":
        parts.append(("regexp_full_match(value, '[0-9]+(?:\\.[0-9]+)?E\\+[0-9]{2,3}')", "'E-CODE-SCIENTIFIC'"))
        parts.append(("regexp_matches(value, '[\u0370-\u03ff\u0400-\u052f\\x00-\\x1f]')", "'E-CODE-CHARACTER'"))
    return (
        "CASE " + " ".join(f"WHEN {condition} THEN {code}" for condition, code in parts) + " END"
        if parts
        else "NULL::VARCHAR"
    )


def _outside(field: Field, delivered_on: str) -> list[tuple[str, str]]:
    """Return the faults of a value that was read but cannot be."""
    if field.type in ("date", "time"):
        late = f"value >= DATE '{delivered_on}' + INTERVAL 1 DAY"
        return [(f"value < DATE '1900-01-01' OR {late}", "'E-DATE-RANGE'")]
    if field.low is not None:
        return [(f"value NOT BETWEEN {field.low} AND {field.high}", "'E-NUMBER-RANGE'")]
    return []


def _unreadable_number(field: Field) -> str:
    if field.type != "money":
        return "'E-NUMBER'"
    return "CASE WHEN hw_is_number(rtrim(noted, '万'), '\\.[0-9]+') THEN 'E-MONEY-PRECISION' ELSE 'E-MONEY' END"


def _rules(field: Field, rule: ColumnRule) -> str:
    """Return the expression of the names of the cleaning rules that changed a text."""
    parts = [
        ("C-INVISIBLE", "strlen(hw_seen(delivered)) <> strlen(delivered)"),
        ("C-BLANK", "text IS NULL AND plain <> ''"),
    ]
    if field.type == "text":
        parts.append(("C-SPACE", "strlen(plain) <> strlen(hw_seen(delivered))"))
    else:
        parts.append(("C-WIDTH", "hw_fold(hw_seen(delivered)) <> hw_seen(delivered)"))
        parts.append(("C-SPACE", "length(plain) <> length(hw_seen(delivered))"))
    if field.type in _NUMERIC and not rule.values:
        parts += [
            ("C-NUMERAL", "numeral = noted"),
            ("C-CURRENCY", f"numeral IS NULL AND regexp_matches(text, '{_CURRENCY}')"),
            ("C-TEN-THOUSAND", "numeral IS NULL AND suffix(noted, '万')"),
            ("C-SEPARATOR", "numeral IS NULL AND contains(text, ',')"),
        ]
        if field.units or rule.units:
            parts.append(("C-UNIT", f"numeral IS NULL AND NOT regexp_matches(text, '{_CURRENCY}') AND noted <> text"))
    if field.type in ("date", "time") and rule.format is None:
        parts.append(
            ("C-DATE", "NOT regexp_full_match(text, '[0-9]{8}(?:[0-9]{6})?|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?')")
        )
    if field.type == "code":
        parts.append(("C-CASE", "upper(text) <> text AND noted = upper(text)"))
        if rule.width is not None:
            parts.append(("C-ZEROS", "noted <> upper(text)"))
    names = ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in parts)
    return f"nullif(concat_ws(' ', {names}), '')"
