with

source as (
    select * from {{ source('coding', 'usage') }}
),

renamed as (
    select
        source.source_id,
        source.kind,
        source.medins_list_codg,
        source.medins_list_name,
        source.line_count,
        source.money
    from source
)

select * from renamed
