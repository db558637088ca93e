with

source as (
    select * from {{ source('coding', 'item') }}
),

renamed as (
    select
        source.source_id,
        source.kind,
        source.medins_list_codg,
        source.medins_list_name,
        source.is_listed,
        source.code,
        source.decision,
        source.evidence,
        source.reference_version
    from source
)

select * from renamed
