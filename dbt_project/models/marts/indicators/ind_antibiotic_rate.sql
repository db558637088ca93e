{{ config(materialized='view') }}

with

month as (
    select * from {{ ref('ind_hospital_month') }}
),

antibiotic as (
    select
        discharge_month,
        hospital_id,
        cast(sum(stay_count) as bigint) as antibiotic_stay_count
    from {{ ref('ind_special_drug') }}
    where category = 'antibiotic'
    group by discharge_month, hospital_id
),

counted as (
    select
        month.discharge_month,
        month.hospital_id,
        month.region,
        month.hosp_lv,
        month.currency,
        month.origin,
        month.stay_count,
        coalesce(antibiotic.antibiotic_stay_count, 0) as antibiotic_stay_count
    from month
    left join antibiotic
        on month.discharge_month = antibiotic.discharge_month and month.hospital_id = antibiotic.hospital_id
),

final as (
    select
        counted.*,
        counted.antibiotic_stay_count / counted.stay_count as antibiotic_rate,
        {{ wilson('counted.antibiotic_stay_count', 'counted.stay_count', -1) }} as antibiotic_rate_low,
        {{ wilson('counted.antibiotic_stay_count', 'counted.stay_count', 1) }} as antibiotic_rate_high
    from counted
)

select * from final
