with

source as (
    select * from {{ source('raw', 'operation') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.mdtrt_id as stay_id,
        source.mdtrt_id,
        source.oprn_srt,
        source.oprn_oprt_code,
        source.oprn_oprt_name
    from source
)

select * from renamed
