{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('payment', 'budget') }}
),

renamed as (
    select
        source.policy,
        source.policy_version,
        source.month as discharge_month,
        source.hospital_id,
        source.stays as stay_count,
        source.fund,
        source.amount as budget,
        source.to_date as budget_so_far,
        source.prepaid as prepaid_so_far,
        source.used as fund_so_far,
        source.settled as settled_so_far,
        source.difference as to_pay_so_far,
        source.forecast,
        source.forecast_low,
        source.forecast_high,
        source.forecast_method,
        source.snapshot_id
    from source
)

select * from renamed
