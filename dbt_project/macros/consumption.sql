{#
How much of a measure (days, cost) a hospital's stays take against the region's mean in the same group and calendar year:
the mean over its stays of own ÷ mean, which is the national index Σ k·n ÷ Σ n. One row per hospital and month.
#}
{% macro consumption(measure) %}
with

stay as (
    select
        *,
        cast(date_trunc('year', discharge_month) as date) as discharge_year,
        cast({{ measure }} as double) as measured
    from {{ ref('fct_stay_group') }}
    where is_grouped
),

expected as (
    select
        stay.region,
        stay.origin,
        stay.currency,
        stay.discharge_year,
        stay.plan_version,
        stay.drg,
        avg(stay.measured) as mean_measured
    from stay
    group by all
),

compared as (
    select
        stay.*,
        expected.mean_measured,
        stay.measured / nullif(expected.mean_measured, 0) as ratio
    from stay
    inner join expected
        on
            stay.region = expected.region
            and stay.origin = expected.origin
            and stay.currency = expected.currency
            and stay.discharge_year = expected.discharge_year
            and stay.plan_version = expected.plan_version
            and stay.drg = expected.drg
),

final as (
    select
        compared.region,
        compared.origin,
        compared.currency,
        compared.hospital_id,
        compared.hosp_lv,
        compared.discharge_month,
        compared.plan,
        compared.plan_version,
        count(*) as stay_count,
        count(distinct compared.drg) as drg_count,
        avg(compared.measured) as mean_measured,
        avg(compared.mean_measured) as expected_measured,
        coalesce(avg(compared.ratio), 1) as index_value,
        max(compared.snapshot_id) as snapshot_id
    from compared
    group by all
)

select * from final
{% endmacro %}
