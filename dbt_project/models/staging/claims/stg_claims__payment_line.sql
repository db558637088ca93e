{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('payment', 'line') }}
),

renamed as (
    select
        source.source_id,
        source.stay_id,
        source.line_no,
        source.account,
        source.step,
        source.reason,
        source.amount
    from source
)

select * from renamed
