"""The canonical tables: what every delivery becomes, whatever its layout.

Field names follow the national settlement interface (4101 and the inpatient fee list).
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["ENTITIES", "Entity", "Field", "FieldType"]

FieldType = Literal[
    "text", "code", "person", "identity", "integer", "quantity", "price", "money", "ratio", "date", "time"
]
"""How a field is read.

text      free text, trimmed
code      identifier that is not a person's: full-width characters folded, upper case, leading zeros kept
person    identifies a person: replaced by a keyed token before anything is written
identity  the national identity number of a person (GB 11643): checked, brought to 18 characters, then a token
integer   BIGINT
quantity  DECIMAL(18,4)
price     DECIMAL(18,6), money per unit
money     DECIMAL(18,2), in the currency of the delivery; more than two decimals is a fault
ratio     DECIMAL(9,6), between 0 and 1
date      DATE
time      TIMESTAMP; a bare date means midnight
"""


@dataclass(frozen=True)
class Field:
    """One column of a canonical table.

    Parameters
    ----------
    required : an empty cell is a fault
    units : words that may follow the number and change nothing
    low, high : bounds of a number, both or none
    """

    name: str
    type: FieldType
    zh: str
    en: str
    required: bool = False
    units: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Entity:
    """One canonical table.

    Parameters
    ----------
    key : fields that, within one source, name a row
    money : the money field whose sum must balance in every batch, or None
    period : the time or date field that places a row in a month, or None for catalogues
    """

    name: str
    zh: str
    en: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    money: str | None = None
    period: str | None = None

    def field(self, name: str) -> Field:
        """Return the field called ``name``; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


def _f(name: str, type_: FieldType, zh: str, en: str, *, required: bool = False) -> Field:
    return Field(name, type_, zh, en, required)


FRONT_PAGE = Entity(
    name="front_page",
    zh="病案首页",
    en="front page",
    key=("mdtrt_id",),
    money="medfee_sumamt",
    period="endtime",
    fields=(
        _f("mdtrt_id", "code", "就诊ID", "stay identifier", required=True),
        _f("setl_id", "code", "结算ID", "settlement identifier"),
        _f("fixmedins_code", "code", "定点医药机构编号", "hospital code", required=True),
        _f("psn_no", "person", "人员编号", "person number"),
        _f("certno", "identity", "证件号码", "identity number"),
        _f("gend", "code", "性别", "sex: 1 male, 2 female, 9 unknown"),
        Field("age", "integer", "年龄", "age in years", units=("岁", "周岁"), low=0, high=150),
        _f("brdy", "date", "出生日期", "date of birth"),
        _f("insutype", "code", "险种", "insurance type"),
        _f("med_type", "code", "医疗类别", "medical type"),
        _f("begntime", "time", "入院时间", "admission time", required=True),
        _f("endtime", "time", "出院时间", "discharge time", required=True),
        Field("ipt_days", "integer", "住院天数", "days of stay", units=("天", "日"), low=0, high=36_500),
        _f("dscg_way", "code", "离院方式", "discharge way"),
        _f("adm_way", "code", "入院途径", "admission way: 1 emergency, 2 outpatient, 3 transfer, 9 other"),
        _f("adm_dept_name", "text", "入院科室名称", "admission department"),
        _f("dscg_dept_name", "text", "出院科室名称", "discharge department"),
        _f("dscg_maindiag_code", "code", "主诊断编码", "main diagnosis code", required=True),
        _f("dscg_maindiag_name", "text", "主诊断名称", "main diagnosis name"),
        _f("main_oprn_code", "code", "主手术操作编码", "main operation code"),
        _f("medfee_sumamt", "money", "医疗费用总额", "total cost", required=True),
        _f("fund_pay_sumamt", "money", "基金支付总额", "paid by the fund"),
        _f("psn_selfpay", "money", "个人自付", "paid by the patient"),
    ),
)

SETTLEMENT = Entity(
    name="settlement",
    zh="结算",
    en="settlement",
    key=("setl_id",),
    money="medfee_sumamt",
    period="setl_time",
    fields=(
        _f("setl_id", "code", "结算ID", "settlement identifier", required=True),
        _f("mdtrt_id", "code", "就诊ID", "stay identifier", required=True),
        _f("fixmedins_code", "code", "定点医药机构编号", "hospital code", required=True),
        _f("psn_no", "person", "人员编号", "person number"),
        _f("insutype", "code", "险种", "insurance type"),
        _f("med_type", "code", "医疗类别", "medical type"),
        _f("setl_time", "time", "结算时间", "time of the settlement", required=True),
        _f("medfee_sumamt", "money", "医疗费总额", "total cost; negative in a reversal", required=True),
        _f("fund_pay_sumamt", "money", "基金支付总额", "paid by the fund"),
        _f("psn_selfpay", "money", "个人自付", "paid by the patient"),
        _f("refd_setl_flag", "code", "退费结算标志", "1 if it reverses another settlement, else 0"),
        _f("init_setl_id", "code", "原结算ID", "the settlement that this one reverses"),
    ),
)

DIAGNOSIS = Entity(
    name="diagnosis",
    zh="诊断",
    en="diagnosis",
    key=("mdtrt_id", "diag_srt"),
    fields=(
        _f("mdtrt_id", "code", "就诊ID", "stay identifier", required=True),
        _f("diag_srt", "integer", "诊断序号", "rank of the diagnosis, the main one is 1", required=True),
        _f("diag_code", "code", "诊断代码", "diagnosis code", required=True),
        _f("diag_name", "text", "诊断名称", "diagnosis name"),
    ),
)

OPERATION = Entity(
    name="operation",
    zh="手术操作",
    en="operation",
    key=("mdtrt_id", "oprn_srt"),
    fields=(
        _f("mdtrt_id", "code", "就诊ID", "stay identifier", required=True),
        _f("oprn_srt", "integer", "手术操作序号", "rank of the operation, the main one is 1", required=True),
        _f("oprn_oprt_code", "code", "手术操作代码", "operation code", required=True),
        _f("oprn_oprt_name", "text", "手术操作名称", "operation name"),
    ),
)

FEE_LINE = Entity(
    name="fee_line",
    zh="住院费用明细",
    en="fee line",
    key=("mdtrt_id", "feedetl_sn"),
    money="det_item_fee_sumamt",
    period="fee_ocur_time",
    fields=(
        _f("mdtrt_id", "code", "就诊ID", "stay identifier", required=True),
        _f("feedetl_sn", "code", "费用明细流水号", "line number", required=True),
        _f("fee_ocur_time", "time", "费用发生时间", "time of the charge", required=True),
        _f("med_list_codg", "code", "医疗目录编码", "national item code"),
        _f("medins_list_codg", "code", "医药机构目录编码", "local item code", required=True),
        _f("medins_list_name", "text", "医药机构目录名称", "local item name", required=True),
        _f("med_chrgitm_type", "code", "医疗收费项目类别", "charge category"),
        _f("chrgitm_lv", "code", "收费项目等级", "reimbursement class: 01 甲, 02 乙, 03 丙"),
        _f("cnt", "quantity", "数量", "quantity", required=True),
        _f("pric", "price", "单价", "unit price", required=True),
        _f("det_item_fee_sumamt", "money", "明细项目费用总额", "amount", required=True),
        _f("selfpay_prop", "ratio", "自付比例", "share paid by the patient"),
        _f("bilg_dept_name", "text", "开单科室名称", "ordering department"),
    ),
)

DRUG = Entity(
    name="drug",
    zh="药品清单",
    en="drug list",
    key=("medins_list_codg",),
    fields=(
        _f("medins_list_codg", "code", "医药机构目录编码", "local item code", required=True),
        _f("medins_list_name", "text", "医药机构目录名称", "local item name", required=True),
        _f("spec", "text", "规格", "strength and pack"),
        _f("dosform_name", "text", "剂型", "dosage form"),
        _f("prodentp_name", "text", "生产企业", "maker"),
        _f("aprvno", "code", "批准文号", "approval number"),
        _f("unit", "text", "计价单位", "price unit"),
        _f("pric", "price", "单价", "unit price"),
    ),
)

CONSUMABLE = Entity(
    name="consumable",
    zh="耗材清单",
    en="consumable list",
    key=("medins_list_codg",),
    fields=(
        _f("medins_list_codg", "code", "医药机构目录编码", "local item code", required=True),
        _f("medins_list_name", "text", "医药机构目录名称", "local item name", required=True),
        _f("spec", "text", "规格型号", "specification and model"),
        _f("material", "text", "材质", "material"),
        _f("prodentp_name", "text", "生产企业", "maker"),
        _f("regno", "code", "注册证编号", "registration number"),
        _f("unit", "text", "计价单位", "price unit"),
        _f("pric", "price", "单价", "unit price"),
    ),
)

SERVICE_ITEM = Entity(
    name="service_item",
    zh="医疗服务项目",
    en="service item",
    key=("fixmedins_code", "medins_list_codg", "medins_list_name"),
    fields=(
        _f("fixmedins_code", "code", "定点医药机构编号", "hospital code", required=True),
        _f("medins_list_codg", "code", "医药机构目录编码", "local item code; many price lists have none"),
        _f("medins_list_name", "text", "医药机构目录名称", "local item name", required=True),
        _f("unit", "text", "计价单位", "price unit"),
        _f("pric", "price", "单价", "unit price"),
    ),
)

HOSPITAL = Entity(
    name="hospital",
    zh="医疗机构名录",
    en="hospital register",
    key=("fixmedins_code",),
    fields=(
        _f("fixmedins_code", "code", "定点医药机构编号", "hospital code", required=True),
        _f("hospital_name", "text", "医疗机构名称", "name in Chinese or as delivered"),
        _f("hospital_name_en", "text", "医疗机构英文名称", "name in English"),
        _f("hosp_lv", "code", "医院等级", "hospital level: 1, 2 or 3"),
        _f("city", "text", "城市", "city"),
        _f("region", "text", "地区", "region"),
        _f("currency", "code", "币种", "ISO 4217 code of all its money"),
        _f("origin", "text", "数据来源性质", "real, synthetic or converted"),
    ),
)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (HOSPITAL, FRONT_PAGE, DIAGNOSIS, OPERATION, SETTLEMENT, FEE_LINE, DRUG, CONSUMABLE, SERVICE_ITEM)
}
"""Every canonical table by name."""
