{{ config(materialized='view') }}

with

month as (
    select * from {{ ref('ind_hospital_month') }}
),

readmission as (
    select
        discharge_month,
        hospital_id,
        count(*) as any_hospital_count,
        count(days_until_same_hospital) as same_hospital_count,
        count(days_until_other_hospital) as other_hospital_count
    from {{ ref('fct_readmission') }}
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
        month.followed_count,
        coalesce(readmission.same_hospital_count, 0) as same_hospital_count,
        coalesce(readmission.other_hospital_count, 0) as other_hospital_count,
        coalesce(readmission.any_hospital_count, 0) as any_hospital_count,
        max(month.discharge_month) over (partition by month.region, month.origin) as newest_month
    from month
    left join readmission
        on month.discharge_month = readmission.discharge_month and month.hospital_id = readmission.hospital_id
),

-- Of the last two months not everybody has had 31 days to come again and to be discharged.
final as (
    select
        counted.discharge_month,
        counted.hospital_id,
        counted.region,
        counted.hosp_lv,
        counted.currency,
        counted.origin,
        counted.stay_count,
        counted.followed_count,
        counted.same_hospital_count,
        counted.other_hospital_count,
        counted.any_hospital_count,
        counted.same_hospital_count / counted.followed_count as same_hospital_rate,
        counted.any_hospital_count / counted.followed_count as any_hospital_rate,
        {{ wilson('counted.any_hospital_count', 'counted.followed_count', -1) }} as any_hospital_rate_low,
        {{ wilson('counted.any_hospital_count', 'counted.followed_count', 1) }} as any_hospital_rate_high,
        counted.discharge_month + interval 2 month <= counted.newest_month as is_followed
    from counted
    where counted.followed_count > 0
)

select * from final
