{{ config(materialized='view') }}

with

fee_line as (
    select * from {{ ref('fct_fee_line') }}
),

stay as (
    select * from {{ ref('view_front_page') }}
),

item as (
    select * from {{ ref('int_items__listed') }}
),

-- A line of a stay whose front page has not come yet is shown without hospital and disease.
final as (
    select
        fee_line.stay_id,
        fee_line.feedetl_sn,
        fee_line.source_id,
        stay.hospital_id,
        stay.hospital_name,
        stay.hospital_name_en,
        stay.hosp_lv,
        stay.city,
        stay.region,
        stay.origin,
        stay.psn_no,
        stay.insutype,
        stay.discharge_month,
        stay.dscg_dept_name,
        stay.dscg_maindiag_code,
        stay.dscg_maindiag_name,
        stay.diagnosis_category,
        stay.chapter_no,
        stay.chapter_name_zh,
        stay.chapter_name_en,
        stay.is_valid,
        fee_line.fee_ocur_time,
        fee_line.charge_month,
        fee_line.charge_group,
        fee_line.med_chrgitm_type,
        fee_line.chrgitm_lv,
        fee_line.med_list_codg,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        item.medins_list_name as listed_name,
        item.spec,
        item.prodentp_name,
        fee_line.cnt,
        fee_line.pric,
        fee_line.det_item_fee_sumamt,
        fee_line.currency,
        fee_line.selfpay_prop,
        fee_line.bilg_dept_name,
        fee_line.reversal,
        fee_line.pair_sn
    from fee_line
    left join stay
        on fee_line.stay_id = stay.stay_id
    left join item
        on
            fee_line.source_id = item.source_id
            and fee_line.charge_group = item.charge_group
            and fee_line.medins_list_codg = item.medins_list_codg
)

select * from final
