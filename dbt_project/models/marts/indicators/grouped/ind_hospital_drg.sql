with

cell as (
    select * from {{ ref('stg_claims__cost_cell') }}
),

hospital as (
    {{ compared_hospital() }}
),

final as (
    select
        cell.region,
        hospital.origin,
        cell.currency,
        cell.hospital_id,
        cell.hosp_lv,
        hospital.plan_version,
        cell.drg,
        cell.suppressed,
        cell.stay_count,
        cell.mean_cost,
        cell.mean_days,
        cell.death_count,
        cell.snapshot_id
    from cell
    inner join hospital
        on cell.hospital_id = hospital.hospital_id
)

select * from final
