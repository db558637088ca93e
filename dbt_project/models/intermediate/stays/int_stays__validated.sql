with

front_page as (
    select * from {{ ref('stg_claims__front_page') }}
),

measured as (
    select
        front_page.stay_id,
        front_page.source_id,
        front_page.mdtrt_id,
        cast(date_trunc('month', front_page.endtime) as date) as discharge_month,
        -- Both ends of a stay within one calendar day are one day, as the settlement rules count it.
        greatest(date_diff('day', cast(front_page.begntime as date), cast(front_page.endtime as date)), 1) as stay_days,
        coalesce(
            front_page.age,
            date_diff('year', front_page.brdy, cast(front_page.begntime as date))
            - cast(
                strftime(front_page.begntime, '%m%d') < strftime(front_page.brdy, '%m%d')
                as integer
            )
        ) as age_years,
        front_page.endtime < front_page.begntime as is_reversed,
        front_page.medfee_sumamt < 0 as is_negative
    from front_page
),

judged as (
    select
        measured.stay_id,
        measured.source_id,
        measured.mdtrt_id,
        measured.discharge_month,
        measured.stay_days,
        measured.age_years,
        case
            when measured.is_reversed then 'discharge_before_admission'
            when measured.stay_days > {{ var('longest_stay_days') }} then 'stay_too_long'
            when measured.age_years not between 0 and 120 then 'age_out_of_range'
            when measured.is_negative then 'negative_cost'
        end as invalid_reason
    from measured
),

validated as (
    select
        judged.stay_id,
        judged.source_id,
        judged.mdtrt_id,
        judged.discharge_month,
        judged.stay_days,
        judged.age_years,
        case
            when judged.age_years is null or judged.age_years not between 0 and 120 then 'unknown'
            when judged.age_years < 15 then '00-14'
            when judged.age_years < 45 then '15-44'
            when judged.age_years < 60 then '45-59'
            when judged.age_years < 75 then '60-74'
            else '75+'
        end as age_band,
        judged.invalid_reason,
        judged.invalid_reason is null as is_valid
    from judged
)

select * from validated
