with

payment as (
    select
        *,
        paid_as in ('low_outlier', 'high_outlier') as is_outlier
    from {{ ref('fct_payment') }}
    where package > 0
),

-- Shares are of all stays that have a package: only these can be outliers.
counted as (
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
        payment.paid_as as kind,
        payment.is_outlier,
        count(*) as stay_count,
        sum(payment.cost) as cost,
        sum(payment.package) as package,
        sum(payment.payable) as payable,
        max(payment.snapshot_id) as snapshot_id
    from payment
    group by all
),

shared as (
    select
        counted.*,
        counted.stay_count / sum(counted.stay_count) over (
            partition by counted.hospital_id, counted.discharge_month, counted.policy_version, counted.plan_version
        ) as stay_share
    from counted
),

final as (
    select
        shared.region,
        shared.origin,
        shared.currency,
        shared.hospital_id,
        shared.hosp_lv,
        shared.discharge_month,
        shared.policy,
        shared.policy_version,
        shared.plan_version,
        shared.kind,
        shared.stay_count,
        shared.stay_share,
        shared.cost,
        shared.package,
        shared.payable,
        shared.snapshot_id
    from shared
    where shared.is_outlier
)

select * from final
