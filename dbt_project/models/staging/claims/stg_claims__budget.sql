{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('payment', 'budget') }}
),

renamed as (
    select
        source.policy,
        source.policy_version,
        source.valid_from,
        source.hospital_id,
        source.amount,
        source.prepaid_share
    from source
)

select * from renamed
