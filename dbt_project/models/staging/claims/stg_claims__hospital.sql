with

source as (
    select * from {{ source('raw', 'hospital') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.fixmedins_code as hospital_id,
        source.fixmedins_code,
        source.hospital_name,
        source.hospital_name_en,
        source.hosp_lv,
        source.city,
        source.region,
        source.currency,
        source.origin
    from source
)

select * from renamed
