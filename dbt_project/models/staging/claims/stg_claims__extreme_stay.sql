{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'extreme') }}
),

renamed as (
    select
        source.stay_id,
        source.method,
        source.side,
        source.basis,
        source.cases as case_count,
        source.amount,
        source.usual,
        source.bound,
        source.at_stake,
        source.score,
        source.found_by,
        source.snapshot_id
    from source
)

select * from renamed
