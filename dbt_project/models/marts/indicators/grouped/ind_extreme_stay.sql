with

extreme as (
    select * from {{ ref('stg_claims__extreme_stay') }}
),

stay as (
    select * from {{ ref('fct_stay_group') }}
),

-- A stay that both methods call extreme is counted by each: the rows of two methods are not to be added up.
final as (
    select
        stay.region,
        stay.origin,
        stay.currency,
        stay.hospital_id,
        stay.hosp_lv,
        stay.discharge_month,
        stay.plan_version,
        extreme.method,
        extreme.side,
        count(*) as stay_count,
        sum(extreme.amount) as amount,
        sum(extreme.at_stake) as at_stake,
        max(extreme.snapshot_id) as snapshot_id
    from extreme
    inner join stay
        on extreme.stay_id = stay.stay_id
    group by all
)

select * from final
