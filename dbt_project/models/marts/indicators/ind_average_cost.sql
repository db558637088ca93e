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
        month.stay_count,
        month.cost,
        cast(month.cost as double) / month.stay_count as average_cost,
        {{ mean_end('month.stay_count', 'month.cost', 'month.cost_square_sum', -1) }} as average_cost_low,
        {{ mean_end('month.stay_count', 'month.cost', 'month.cost_square_sum', 1) }} as average_cost_high
    from month
)

select * from final
