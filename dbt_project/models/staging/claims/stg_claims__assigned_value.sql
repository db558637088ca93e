with

source as (
    select * from {{ source('coding', 'assigned') }}
),

renamed as (
    select
        source.source_id,
        source.kind,
        source.medins_list_codg,
        source.medins_list_name,
        source.valid_from,
        source.valid_to,
        source.code,
        source.pieces,
        source.piece,
        source.amount,
        source.amount_unit,
        source.ddd,
        source.unit_reason,
        source.amount_reason,
        source.ddd_reason,
        source.price_per_piece,
        source.price_per_amount,
        source.amount_basis,
        source.price_per_ddd,
        source.national_name,
        source.class_path,
        source.class_names,
        source.is_high_value,
        source.high_value_by,
        source.antibiotic_grade,
        source.control,
        source.is_essential,
        source.is_central
    from source
)

select * from renamed
