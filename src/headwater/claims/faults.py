"""The faults a delivered row can have: code, reason and remedy, in the words of the clerk who must mend it."""

from dataclasses import dataclass

from headwater.errors import Message

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault of a row."""

    code: str
    reason: Message
    fix: Message


def _fault(code: str, reason: tuple[str, str], fix: tuple[str, str]) -> Fault:
    return Fault(code, Message(*reason), Message(*fix))


FAULTS: dict[str, Fault] = {
    fault.code: fault
    for fault in (
        _fault(
            "E-ROW-SHAPE",
            ("该行的列数与表头不符。", "The row has not as many columns as the header."),
            (
                "检查是否有未加引号的分隔符或换行，按表头补齐后重报。",
                "Look for unquoted separators or line breaks; resend it.",
            ),
        ),
        _fault(
            "E-REQUIRED",
            ("必填字段为空。", "A required field is empty."),
            ("补填该字段后重报。", "Fill the field and resend the row."),
        ),
        _fault(
            "E-DATE",
            ("日期无法识别、不存在或有歧义。", "The date cannot be read, does not exist or is ambiguous."),
            ("改为 2026-01-05 或 2026-01-05 08:00:00 的形式。", "Write it as 2026-01-05 or 2026-01-05 08:00:00."),
        ),
        _fault(
            "E-DATE-RANGE",
            ("日期早于 1900 年或晚于送达之日。", "The date lies before 1900 or after the day of delivery."),
            ("核对原始记录中的日期。", "Check the date in the original record."),
        ),
        _fault(
            "E-NUMBER",
            ("不是数字。", "This is not a number."),
            ("只填数字，小数点用“.”，千分位用“,”。", "Use digits, '.' for decimals and ',' for thousands."),
        ),
        _fault(
            "E-MONEY",
            ("金额无法识别。", "The amount cannot be read."),
            ("只填数字，单位为元，最多两位小数。", "Use digits with at most two decimals."),
        ),
        _fault(
            "E-MONEY-PRECISION",
            ("金额多于两位小数。", "The amount has more than two decimals."),
            ("按收费规则取整到分后重报。", "Round to the cent by the charging rule and resend."),
        ),
        _fault(
            "E-CODE-SCIENTIFIC",
            (
                "编码被表格软件改成了科学计数法，末位数字已丢失。",
                "A spreadsheet turned the code into scientific notation; digits are lost.",
            ),
            ("将该列设为文本格式，从原系统重新导出。", "Set the column to text and export again."),
        ),
        _fault(
            "E-PERSON-ID",
            (
                "该字段中是一个身份证号，而它不是人员标识字段。",
                "The field holds a person's identity number, but is not for one.",
            ),
            (
                "把列对齐后重报；身份证号只能放在人员标识列。",
                "Put the columns right; identity numbers belong in a person column.",
            ),
        ),
        _fault(
            "E-VALUE-MAP",
            ("该取值不在数据源合同的对照表中。", "The value is not in the source contract's value map."),
            (
                "改为合同列出的取值，或由数据管理员补充对照。",
                "Use a listed value, or have the contract's map extended.",
            ),
        ),
        _fault(
            "E-STAY-ORDER",
            ("出院时间早于入院时间。", "The discharge lies before the admission."),
            ("核对入院与出院时间。", "Check both times."),
        ),
        _fault(
            "E-DATE-AMBIGUOUS",
            ("日期的日、月、年次序不明。", "The order of day, month and year is unclear."),
            ("改为四位年份在前的写法，如 2026-01-05。", "Write the four-digit year first, as in 2026-01-05."),
        ),
        _fault(
            "E-NUMBER-RANGE",
            ("数值超出合理范围。", "The number lies outside its possible range."),
            ("核对原始记录后重报。", "Check the original record and resend the row."),
        ),
        _fault(
            "E-TEXT-DAMAGED",
            ("文本中有无法还原的损坏字符。", "The text holds a character that was damaged for good."),
            ("以 UTF-8 编码从原系统重新导出。", "Export again from the original system as UTF-8."),
        ),
        _fault(
            "E-CODE-CHARACTER",
            (
                "编码中有形似字母的外文字符或控制字符。",
                "The code holds foreign look-alike letters or control characters.",
            ),
            ("用键盘重新录入该编码。", "Type the code again."),
        ),
        _fault(
            "E-IDENTITY",
            (
                "身份证号的位数、出生日期或校验码不对。",
                "The identity number fails in length, date of birth or check character.",
            ),
            ("核对证件后重报。", "Check the document and resend the row."),
        ),
        _fault(
            "E-SEX-CONFLICT",
            ("性别与身份证号不符。", "The sex contradicts the identity number."),
            ("核对性别与身份证号。", "Check sex and identity number."),
        ),
        _fault(
            "E-BIRTH-CONFLICT",
            ("出生日期与身份证号不符。", "The date of birth contradicts the identity number."),
            ("核对出生日期与身份证号。", "Check date of birth and identity number."),
        ),
        _fault(
            "E-AGE-CONFLICT",
            ("年龄、出生日期与入院时间互相矛盾。", "Age, date of birth and admission contradict each other."),
            ("核对年龄、出生日期和入院时间。", "Check age, date of birth and admission."),
        ),
        _fault(
            "E-AMOUNT-PRODUCT",
            ("金额不等于单价乘以数量。", "The amount is not price times quantity."),
            ("核对单价、数量和金额。", "Check price, quantity and amount."),
        ),
        _fault(
            "E-REVERSAL-SIGN",
            ("退费结算的金额应为负数。", "The amount of a reversal must be negative."),
            ("核对退费标志与金额。", "Check the reversal flag and the amount."),
        ),
        _fault(
            "E-KEY-CONFLICT",
            ("主键与另一行相同而内容不同。", "Another row has the same key but other content."),
            (
                "确认哪一行正确；先到的一行已入库，本行保留在隔离区。",
                "Find which is right; the first is loaded, this one is kept here.",
            ),
        ),
    )
}
"""Every fault by its code."""
