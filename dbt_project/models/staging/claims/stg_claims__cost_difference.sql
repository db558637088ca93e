{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'difference') }}
),

renamed as (
    select
        source.hospital_id,
        source.region,
        source.hosp_lv,
        source.currency,
        source.drg,
        source.charge_group,
        source.volume,
        source.mix,
        source.price,
        source.suppressed,
        source.snapshot_id
    from source
)

select * from renamed
