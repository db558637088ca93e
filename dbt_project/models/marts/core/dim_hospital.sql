with

hospital as (
    select * from {{ ref('int_hospitals__registered') }}
),

final as (
    select
        hospital.hospital_id,
        hospital.source_id,
        hospital.fixmedins_code,
        hospital.hospital_name,
        hospital.hospital_name_en,
        hospital.hosp_lv,
        hospital.city,
        hospital.region,
        hospital.currency,
        hospital.origin
    from hospital
)

select * from final
