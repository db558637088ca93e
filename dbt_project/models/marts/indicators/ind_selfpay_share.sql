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
        month.selfpay_stated_cost,
        month.selfpay_amount,
        cast(month.selfpay_amount as double) / cast(nullif(month.selfpay_stated_cost, 0) as double) as selfpay_share
    from month
)

select * from final
