{# Made anew in every run, as another plan changes it without a new delivery. #}

with

stay as (
    select * from {{ ref('fct_stay') }}
),

grouped as (
    select * from {{ ref('stg_claims__stay_group') }}
),

final as (
    select
        stay.stay_id,
        stay.source_id,
        stay.hospital_id,
        stay.region,
        stay.origin,
        stay.currency,
        stay.hosp_lv,
        stay.insutype,
        stay.discharge_month,
        stay.stay_days,
        stay.medfee_sumamt,
        stay.is_dead,
        grouped.plan,
        grouped.plan_version,
        grouped.mdc,
        grouped.adrg,
        grouped.drg,
        grouped.status,
        grouped.reason,
        grouped.drg is not null as is_grouped,
        grouped.snapshot_id
    from stay
    inner join grouped
        on stay.stay_id = grouped.stay_id
)

select * from final
