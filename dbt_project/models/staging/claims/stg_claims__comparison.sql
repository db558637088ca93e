{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'comparison') }}
),

renamed as (
    select
        source.hospital_id,
        source.region,
        source.hosp_lv,
        source.currency,
        source.measure,
        source.is_count,
        source.stays as stay_count,
        source.alone as alone_count,
        source.observed,
        source.expected,
        source.ratio,
        source.lower as ratio_low,
        source.upper as ratio_high,
        source.factor,
        source.factor_lower as factor_low,
        source.factor_upper as factor_high,
        source.hospitals as hospital_count,
        source.tau2,
        source.z,
        source.q,
        source.low_95,
        source.high_95,
        source.low_998,
        source.high_998,
        source.place,
        source.why_none,
        source.snapshot_id
    from source
)

select * from renamed
