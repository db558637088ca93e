with

pool as (
    select * replace (coalesce(nullif(insutype, ''), 'unknown') as insutype)
    from {{ ref('stg_claims__pool') }}
),

-- A policy may pay for several regions, out of one fund.
paid as (
    select
        policy,
        string_agg(distinct region, ',' order by region) as region,
        string_agg(distinct origin, ',' order by origin) as origin,
        any_value(currency) as currency,
        string_agg(distinct plan_version, ',' order by plan_version) as plan_version
    from {{ ref('fct_payment') }}
    group by policy
),

final as (
    select
        paid.region,
        paid.origin,
        paid.currency,
        pool.insutype,
        paid.plan_version,
        {{ budget_stood('pool') }}
    from pool
    left join paid
        on pool.policy = paid.policy
)

select * from final
