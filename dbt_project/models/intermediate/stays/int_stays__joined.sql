with

front_page as (
    select front_page.*
    from {{ ref('stg_claims__front_page') }} as front_page
    semi join {{ ref('int_stays__touched') }} as touched
        on front_page.source_id = touched.source_id and front_page.mdtrt_id = touched.mdtrt_id
),

validated as (
    select * from {{ ref('int_stays__validated') }}
),

classified as (
    select * from {{ ref('int_stays__classified') }}
),

diagnoses as (
    select * from {{ ref('int_diagnoses__counted') }}
),

operations as (
    select * from {{ ref('int_operations__counted') }}
),

charges as (
    select * from {{ ref('int_stays__charged') }}
),

settlements as (
    select * from {{ ref('int_stays__settled') }}
),

joined as (
    select
        front_page.stay_id,
        front_page.source_id,
        front_page.hospital_id,
        front_page.mdtrt_id,
        front_page.setl_id,
        front_page.fixmedins_code,
        front_page.psn_no,
        front_page.insutype,
        front_page.med_type,
        front_page.begntime,
        front_page.endtime,
        front_page.ipt_days,
        front_page.dscg_way,
        front_page.adm_way,
        front_page.adm_dept_name,
        front_page.dscg_dept_name,
        front_page.dscg_maindiag_code,
        front_page.dscg_maindiag_name,
        front_page.main_oprn_code,
        front_page.medfee_sumamt,
        front_page.fund_pay_sumamt,
        front_page.psn_selfpay,
        validated.discharge_month,
        validated.stay_days,
        validated.age_years,
        validated.age_band,
        validated.invalid_reason,
        validated.is_valid,
        classified.diagnosis_system,
        classified.chapter_no,
        classified.diagnosis_chapter,
        classified.diagnosis_category,
        classified.operation_category,
        diagnoses.diagnosis_count,
        operations.operation_count,
        case when front_page.gend in ('1', '2') then front_page.gend else '9' end as gend,
        coalesce(charges.fee_line_count, 0) as fee_line_count,
        coalesce(charges.fee_line_amount, 0) as fee_line_amount,
        coalesce(charges.drug_amount, 0) as drug_amount,
        coalesce(charges.consumable_amount, 0) as consumable_amount,
        coalesce(settlements.live_settlement_count, 0) as live_settlement_count,
        coalesce(settlements.live_settlement_amount, 0) as live_settlement_amount,
        coalesce(settlements.live_fund_amount, 0) as live_fund_amount
    from front_page
    inner join validated
        on front_page.source_id = validated.source_id and front_page.mdtrt_id = validated.mdtrt_id
    inner join classified
        on front_page.stay_id = classified.stay_id
    inner join diagnoses
        on front_page.stay_id = diagnoses.stay_id
    inner join operations
        on front_page.stay_id = operations.stay_id
    left join charges
        on front_page.stay_id = charges.stay_id
    left join settlements
        on front_page.stay_id = settlements.stay_id
)

select * from joined
