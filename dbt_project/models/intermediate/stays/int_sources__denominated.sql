with

hospital as (
    select * from {{ ref('int_hospitals__registered') }}
),

denominated as (
    select
        hospital.source_id,
        hospital.currency
    from hospital
    group by
        hospital.source_id,
        hospital.currency
)

select * from denominated
