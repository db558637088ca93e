with

difference as (
    select * from {{ ref('stg_claims__cost_difference') }}
),

hospital as (
    {{ compared_hospital() }}
),

-- What would tell of a small cell is not published; the row stays, to say so.
final as (
    select
        difference.region,
        hospital.origin,
        difference.currency,
        difference.hospital_id,
        difference.hosp_lv,
        hospital.plan_version,
        difference.drg,
        difference.charge_group,
        difference.suppressed,
        case when difference.suppressed is null then difference.volume end as volume,
        case when difference.suppressed is null then difference.mix end as mix,
        case when difference.suppressed is null then difference.price end as price,
        case
            when difference.suppressed is null then difference.volume + difference.mix + difference.price
        end as difference,
        difference.snapshot_id
    from difference
    inner join hospital
        on difference.hospital_id = hospital.hospital_id
)

select * from final
