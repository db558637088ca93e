{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

stay as (
    select * from {{ ref('int_stays__joined') }}
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

final as (
    select
        stay.stay_id,
        stay.source_id,
        stay.hospital_id,
        stay.mdtrt_id,
        stay.setl_id,
        stay.fixmedins_code,
        hospital.hospital_name,
        hospital.hosp_lv,
        hospital.city,
        hospital.region,
        hospital.currency,
        hospital.origin,
        stay.psn_no,
        stay.gend,
        stay.age_years,
        stay.age_band,
        stay.insutype,
        stay.med_type,
        stay.begntime,
        stay.endtime,
        stay.discharge_month,
        stay.stay_days,
        stay.ipt_days,
        stay.dscg_way,
        stay.adm_way,
        stay.adm_dept_name,
        stay.dscg_dept_name,
        stay.diagnosis_system,
        stay.dscg_maindiag_code,
        stay.dscg_maindiag_name,
        stay.chapter_no,
        stay.diagnosis_chapter,
        stay.diagnosis_category,
        stay.diagnosis_count,
        stay.main_oprn_code,
        stay.operation_category,
        stay.operation_count,
        stay.medfee_sumamt,
        stay.fund_pay_sumamt,
        stay.psn_selfpay,
        stay.fee_line_count,
        stay.fee_line_amount,
        stay.drug_amount,
        stay.consumable_amount,
        stay.fee_line_amount - stay.drug_amount - stay.consumable_amount as service_amount,
        stay.live_settlement_count,
        stay.live_settlement_amount,
        stay.live_fund_amount,
        coalesce(stay.adm_way = '1', false) as is_emergency,
        coalesce(stay.dscg_way = '5', false) as is_dead,
        stay.is_valid,
        stay.invalid_reason
    from stay
    left join hospital
        on stay.hospital_id = hospital.hospital_id
)

select * from final
