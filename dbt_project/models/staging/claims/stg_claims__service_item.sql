with

source as (
    select * from {{ source('raw', 'service_item') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.fixmedins_code as hospital_id,
        source.fixmedins_code,
        -- Many price lists have no codes: no code is a part of the key like any other.
        coalesce(source.medins_list_codg, '') as medins_list_codg,
        source.medins_list_name,
        source.unit,
        source.pric
    from source
)

select * from renamed
