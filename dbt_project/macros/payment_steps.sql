{# Payments of stays in which a line stands that meets a condition, by hospital, month and the line's reason. #}
{% macro payment_steps(condition) %}
with

payment as (
    select * from {{ ref('fct_payment') }}
),

line as (
    select
        stay_id,
        step,
        reason,
        sum(amount) as amount
    from {{ ref('stg_claims__payment_line') }}
    where account = 'payable' and {{ condition }}
    group by stay_id, step, reason
),

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
        line.step,
        line.reason,
        count(*) as stay_count,
        sum(payment.cost) as cost,
        sum(payment.payable) as payable,
        sum(line.amount) as amount,
        max(payment.snapshot_id) as snapshot_id
    from payment
    inner join line
        on payment.stay_id = line.stay_id
    group by all
)

select * from final
{% endmacro %}
