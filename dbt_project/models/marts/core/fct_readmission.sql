{{ config(materialized='incremental', refreshed_by='person', refreshed_on='stay_id, psn_no') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid and psn_no is not null and {{ touched('stay_id, psn_no', by='person') }}
),

-- Whoever died or was handed to another hospital cannot come back unexpectedly.
again as (
    select
        stay.stay_id,
        stay.psn_no,
        stay.hospital_id,
        stay.discharge_month,
        later.stay_id as later_stay_id,
        later.hospital_id as later_hospital_id,
        date_diff('day', stay.endtime, later.begntime) as days
    from stay
    inner join stay as later
        on
            stay.psn_no = later.psn_no
            and stay.region is not distinct from later.region
            and stay.stay_id <> later.stay_id
            and stay.endtime <= later.begntime
            and later.begntime < stay.endtime + interval 32 day
    where coalesce(stay.dscg_way, '1') not in ('2', '5')
),

final as (
    select
        again.stay_id,
        again.psn_no,
        again.hospital_id,
        again.discharge_month,
        min(again.days) as days_until,
        min(again.days) filter (where again.later_hospital_id = again.hospital_id) as days_until_same_hospital,
        min(again.days) filter (where again.later_hospital_id <> again.hospital_id) as days_until_other_hospital,
        arg_min(again.later_stay_id, (again.days, again.later_stay_id)) as later_stay_id
    from again
    where again.days <= {{ var('readmission_days') }}
    group by again.stay_id, again.psn_no, again.hospital_id, again.discharge_month
)

select * from final
