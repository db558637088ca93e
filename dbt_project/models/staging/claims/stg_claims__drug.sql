with

source as (
    select * from {{ source('raw', 'drug') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.medins_list_codg,
        source.medins_list_name,
        source.spec,
        source.dosform_name,
        source.prodentp_name,
        source.aprvno,
        source.unit,
        source.pric
    from source
)

select * from renamed
