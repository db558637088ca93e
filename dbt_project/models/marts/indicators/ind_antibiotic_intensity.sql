{{ config(materialized='view') }}

with

month as (
    select * from {{ ref('ind_hospital_month') }}
),

antibiotic as (
    select
        discharge_month,
        hospital_id,
        sum(ddd) as ddd,
        sum(amount) as amount,
        sum(undosed_amount) as undosed_amount
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
        month.stay_days,
        cast(coalesce(antibiotic.ddd, 0) as decimal(38, 4)) as ddd,
        cast(coalesce(antibiotic.amount, 0) as decimal(38, 2)) as antibiotic_amount,
        cast(coalesce(antibiotic.undosed_amount, 0) as decimal(38, 2)) as undosed_amount
    from month
    left join antibiotic
        on month.discharge_month = antibiotic.discharge_month and month.hospital_id = antibiotic.hospital_id
),

final as (
    select
        counted.*,
        100 * cast(counted.ddd as double) / counted.stay_days as antibiotic_intensity,
        cast(counted.undosed_amount as double) / cast(nullif(counted.antibiotic_amount, 0) as double) as undosed_share
    from counted
)

select * from final
