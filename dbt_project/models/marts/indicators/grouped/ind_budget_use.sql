{#
A budget is of a calendar year. Of several versions of a policy within one, the newest under which a stay of that year was
paid says how much it is.
#}

with

payment as (
    select
        *,
        cast(date_trunc('year', discharge_month) as date) as discharge_year
    from {{ ref('fct_payment') }}
),

budget as (
    select * from {{ ref('stg_claims__budget') }}
),

months as (
    select
        payment.region,
        payment.origin,
        payment.currency,
        payment.hospital_id,
        payment.hosp_lv,
        payment.discharge_year,
        payment.discharge_month,
        payment.policy,
        count(*) as stay_count,
        sum(payment.fund) as fund,
        max(payment.snapshot_id) as snapshot_id
    from payment
    group by all
),

held as (
    select
        payment.discharge_year,
        payment.policy,
        arg_max(budget.policy_version, budget.valid_from) as policy_version
    from payment
    inner join budget
        on payment.policy_version = budget.policy_version
    group by payment.discharge_year, payment.policy
),

final as (
    select
        months.region,
        months.origin,
        months.currency,
        months.hospital_id,
        months.hosp_lv,
        months.discharge_month,
        months.policy,
        held.policy_version,
        months.stay_count,
        months.fund,
        sum(months.fund) over so_far as fund_so_far,
        budget.amount as budget,
        cast(budget.amount * budget.prepaid_share / 12 as decimal(18, 2)) as prepaid,
        cast(sum(months.fund) over so_far as double) / cast(nullif(budget.amount, 0) as double) as used_share,
        months.snapshot_id
    from months
    inner join held
        on months.discharge_year = held.discharge_year and months.policy = held.policy
    inner join budget
        on held.policy_version = budget.policy_version and months.hospital_id = budget.hospital_id
    window so_far as (
        partition by months.hospital_id, months.policy, months.discharge_year
        order by months.discharge_month
    )
)

select * from final
