with

source as (
    select * from {{ source('raw', 'consumable') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.medins_list_codg,
        source.medins_list_name,
        source.spec,
        source.material,
        source.prodentp_name,
        source.regno,
        source.unit,
        source.pric
    from source
)

select * from renamed
