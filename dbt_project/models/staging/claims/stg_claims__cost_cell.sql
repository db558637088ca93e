{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'cell') }}
),

renamed as (
    select
        source.hospital_id,
        source.region,
        source.hosp_lv,
        source.currency,
        source.drg,
        source.stays as stay_count,
        source.mean_cost,
        source.mean_days,
        source.deaths as death_count,
        source.suppressed,
        source.snapshot_id
    from source
)

select * from renamed
