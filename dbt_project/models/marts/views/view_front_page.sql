{{ config(materialized='view') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

chapter as (
    select * from {{ ref('icd10_chapter') }}
),

final as (
    select
        stay.stay_id,
        stay.source_id,
        stay.hospital_id,
        stay.mdtrt_id,
        stay.setl_id,
        stay.fixmedins_code,
        stay.hospital_name,
        stay.hosp_lv,
        stay.city,
        stay.region,
        stay.currency,
        stay.origin,
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
        stay.service_amount,
        stay.live_settlement_count,
        stay.live_settlement_amount,
        stay.live_fund_amount,
        stay.is_emergency,
        stay.is_dead,
        stay.is_valid,
        stay.invalid_reason,
        hospital.hospital_name_en,
        coalesce(chapter.name_zh, '未归类') as chapter_name_zh,
        coalesce(chapter.name_en, 'Unclassified') as chapter_name_en
    from stay
    left join hospital
        on stay.hospital_id = hospital.hospital_id
    left join chapter
        on stay.chapter_no = chapter.chapter_no
)

select * from final
