with

source as (
    select * from {{ source('raw', 'diagnosis') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.mdtrt_id as stay_id,
        source.mdtrt_id,
        source.diag_srt,
        source.diag_code,
        source.diag_name
    from source
)

select * from renamed
