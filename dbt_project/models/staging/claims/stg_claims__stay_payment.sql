{{ config(tags=['grouped']) }}

with

source as (
    select * from {{ source('payment', 'stay') }}
),

renamed as (
    select
        source.source_id,
        source.stay_id,
        source.policy,
        source.policy_version,
        source.plan,
        source.plan_version,
        source.mdc,
        source.adrg,
        source.drg,
        source.weight,
        source.paid_as,
        source.cost,
        source.package,
        source.payable,
        source.fund,
        source.self_pay,
        source.settlement,
        source.balance,
        source.snapshot_id
    from source
)

select * from renamed
