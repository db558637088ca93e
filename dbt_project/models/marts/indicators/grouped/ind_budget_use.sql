with

budget as (
    select * from {{ ref('stg_claims__budget') }}
),

-- Where and at which level a hospital lies is known from what is paid to it.
paid as (
    select
        hospital_id,
        policy,
        any_value(region) as region,
        any_value(origin) as origin,
        any_value(currency) as currency,
        any_value(hosp_lv) as hosp_lv,
        string_agg(distinct plan_version, ',' order by plan_version) as plan_version
    from {{ ref('fct_payment') }}
    group by hospital_id, policy
),

final as (
    select
        paid.region,
        paid.origin,
        paid.currency,
        budget.hospital_id,
        paid.hosp_lv,
        paid.plan_version,
        {{ budget_stood('budget') }}
    from budget
    left join paid
        on budget.hospital_id = paid.hospital_id and budget.policy = paid.policy
)

select * from final
