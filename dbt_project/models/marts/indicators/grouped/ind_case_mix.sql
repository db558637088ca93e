with

payment as (
    select * from {{ ref('fct_payment') }}
),

-- Stays whose group has no weight take no part: they would count as weight zero.
final as (
    select
        payment.region,
        payment.origin,
        payment.currency,
        payment.hospital_id,
        payment.hosp_lv,
        payment.discharge_month,
        payment.policy,
        payment.policy_version,
        payment.plan_version,
        count(*) as stay_count,
        count(payment.weight) as weighted_count,
        count(distinct payment.drg) as drg_count,
        coalesce(sum(payment.weight), 0) as weight_sum,
        cast(sum(payment.weight) as double) / nullif(count(payment.weight), 0) as cmi,
        max(payment.snapshot_id) as snapshot_id
    from payment
    group by all
)

select * from final
