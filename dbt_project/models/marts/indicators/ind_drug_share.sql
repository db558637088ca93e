{{ config(materialized='view') }}

with

month as (
    select * from {{ ref('ind_hospital_month') }}
),

final as (
    select
        month.discharge_month,
        month.hospital_id,
        month.region,
        month.hosp_lv,
        month.currency,
        month.origin,
        month.fee_line_amount,
        month.drug_amount,
        cast(month.drug_amount as double) / cast(nullif(month.fee_line_amount, 0) as double) as drug_share
    from month
)

select * from final
