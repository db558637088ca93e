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
        source.spec,
        source.dosform_name,
        source.prodentp_name,
        source.unit,
        source.pric,
        source.is_listed,
        source.code,
        source.confidence,
        source.decision,
        source.reason,
        source.evidence,
        source.reference_version,
        source.matcher_version,
        source.coded_at,
        source.decided_by
    from source
)

select * from renamed
