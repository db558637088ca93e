with

hospital as (
    select * from {{ ref('stg_claims__hospital') }}
),

registered as (
    select
        hospital.hospital_id,
        hospital.source_id,
        hospital.fixmedins_code,
        hospital.hospital_name,
        hospital.hospital_name_en,
        hospital.currency,
        hospital.origin,
        coalesce(nullif(trim(hospital.hosp_lv), ''), '9') as hosp_lv,
        coalesce(nullif(trim(hospital.city), ''), 'unknown') as city,
        coalesce(nullif(trim(hospital.region), ''), 'unknown') as region
    from hospital
)

select * from registered
