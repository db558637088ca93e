{#
A group's risk is the share of its stays in the region and calendar year that end in death. Of the groups with deaths, those
whose ln(share) lies more than a standard deviation below the mean of ln(share) are of low risk: nobody is expected to die.
#}

with

stay as (
    select
        *,
        cast(date_trunc('year', discharge_month) as date) as discharge_year
    from {{ ref('fct_stay_group') }}
    where is_grouped
),

risk as (
    select
        stay.region,
        stay.origin,
        stay.discharge_year,
        stay.plan_version,
        stay.drg,
        count(*) filter (where stay.is_dead) / count(*) as death_share
    from stay
    group by all
),

scale as (
    select
        risk.region,
        risk.origin,
        risk.discharge_year,
        risk.plan_version,
        exp(avg(ln(risk.death_share)) - stddev_pop(ln(risk.death_share))) as low_below
    from risk
    where risk.death_share > 0
    group by all
),

low as (
    select risk.*
    from risk
    inner join scale
        on
            risk.region = scale.region
            and risk.origin = scale.origin
            and risk.discharge_year = scale.discharge_year
            and risk.plan_version = scale.plan_version
    where risk.death_share > 0 and risk.death_share < scale.low_below
),

marked as (
    select
        stay.*,
        low.drg is not null as is_low_risk
    from stay
    left join low
        on
            stay.region = low.region
            and stay.origin = low.origin
            and stay.discharge_year = low.discharge_year
            and stay.plan_version = low.plan_version
            and stay.drg = low.drg
),

final as (
    select
        marked.region,
        marked.origin,
        marked.hospital_id,
        marked.hosp_lv,
        marked.discharge_month,
        marked.plan,
        marked.plan_version,
        count(*) as stay_count,
        count(*) filter (where marked.is_low_risk) as low_risk_count,
        count(*) filter (where marked.is_low_risk and marked.is_dead) as low_risk_death_count,
        count(*) filter (where marked.is_low_risk and marked.is_dead)
        / nullif(count(*) filter (where marked.is_low_risk), 0) as low_risk_death_share,
        max(marked.snapshot_id) as snapshot_id
    from marked
    group by all
)

select * from final
