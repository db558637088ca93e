{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'stay') }}
),

renamed as (
    select
        source.source_id,
        source.stay_id,
        source.plan,
        source.plan_version,
        source.mdc,
        source.adrg,
        source.drg,
        source.status,
        source.reason,
        source.snapshot_id
    from source
)

select * from renamed
