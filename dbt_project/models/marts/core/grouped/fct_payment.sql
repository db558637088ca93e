with

stay as (
    select * from {{ ref('fct_stay_group') }}
),

paid as (
    select * from {{ ref('stg_claims__stay_payment') }}
),

final as (
    select
        stay.stay_id,
        stay.source_id,
        stay.hospital_id,
        stay.region,
        stay.origin,
        stay.currency,
        stay.hosp_lv,
        stay.insutype,
        stay.discharge_month,
        paid.policy,
        paid.policy_version,
        paid.plan,
        paid.plan_version,
        paid.mdc,
        paid.adrg,
        paid.drg,
        paid.weight,
        paid.paid_as,
        paid.cost,
        paid.package,
        paid.payable,
        paid.fund,
        paid.self_pay,
        paid.settlement,
        paid.balance,
        paid.snapshot_id
    from stay
    inner join paid
        on stay.stay_id = paid.stay_id
)

select * from final
