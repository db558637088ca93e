with

stay as (
    select * from {{ ref('fct_stay_group') }}
),

counted as (
    select
        stay.region,
        stay.origin,
        stay.currency,
        stay.hospital_id,
        stay.hosp_lv,
        stay.discharge_month,
        coalesce(stay.plan, 'none') as plan,
        coalesce(stay.plan_version, 'none') as plan_version,
        stay.status,
        coalesce(stay.reason, 'none') as reason,
        count(*) as stay_count,
        sum(stay.medfee_sumamt) as cost,
        max(stay.snapshot_id) as snapshot_id
    from stay
    group by all
),

final as (
    select
        counted.region,
        counted.origin,
        counted.currency,
        counted.hospital_id,
        counted.hosp_lv,
        counted.discharge_month,
        counted.plan,
        counted.plan_version,
        counted.status,
        counted.reason,
        counted.stay_count,
        counted.cost,
        counted.stay_count / sum(counted.stay_count) over whole_month as stay_share,
        counted.snapshot_id
    from counted
    window whole_month as (partition by counted.hospital_id, counted.discharge_month)
)

select * from final
