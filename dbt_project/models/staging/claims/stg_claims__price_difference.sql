{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('grouping', 'price_difference') }}
),

renamed as (
    select
        source.hospital_id,
        source.region,
        source.hosp_lv,
        source.currency,
        source.drg,
        source.item,
        source.bills as bill_count,
        source.peers_bills as peers_bill_count,
        source.use,
        source.price,
        source.suppressed,
        source.snapshot_id
    from source
)

select * from renamed
