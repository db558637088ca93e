with

payment as (
    select * from {{ ref('fct_payment') }}
),

final as (
    select
        payment.region,
        payment.origin,
        payment.currency,
        payment.hospital_id,
        payment.hosp_lv,
        coalesce(payment.insutype, 'unknown') as insutype,
        payment.discharge_month,
        payment.policy,
        payment.policy_version,
        payment.plan_version,
        count(*) as stay_count,
        count(*) filter (where payment.balance > 0) as gaining_count,
        count(*) filter (where payment.balance < 0) as losing_count,
        sum(payment.cost) as cost,
        sum(payment.payable) as payable,
        sum(payment.fund) as fund,
        sum(payment.self_pay) as self_pay,
        sum(payment.balance) as balance,
        cast(sum(payment.balance) as double) / cast(nullif(sum(payment.cost), 0) as double) as balance_share,
        max(payment.snapshot_id) as snapshot_id
    from payment
    group by all
)

select * from final
