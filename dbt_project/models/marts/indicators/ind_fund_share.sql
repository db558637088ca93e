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
        month.fund_stated_cost,
        month.fund_amount,
        cast(month.fund_amount as double) / cast(nullif(month.fund_stated_cost, 0) as double) as fund_share
    from month
)

select * from final
