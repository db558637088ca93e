{#
Made anew in every build: a decision or a new reference changes items of which nothing was landed, and a catalogue is
small beside what is billed by it.
#}
with

item as (
    select * from {{ ref('stg_claims__coded_item') }}
    where kind in ('drug', 'consumable', 'service')
),

-- What holds now is what no later version has replaced.
assigned as (
    select * from {{ ref('stg_claims__assigned_value') }}
    where valid_to is null
),

currency as (
    select * from {{ ref('int_sources__denominated') }}
),

final as (
    select
        concat_ws(':', item.source_id, item.kind, coalesce(item.medins_list_codg, ''), item.medins_list_name)
            as item_id,
        item.source_id,
        item.kind,
        item.medins_list_codg,
        item.medins_list_name,
        item.spec,
        item.dosform_name,
        item.prodentp_name,
        item.unit,
        item.pric,
        currency.currency,
        item.is_listed,
        item.decision,
        item.confidence,
        item.reason,
        case when item.decision in ('auto', 'decided') then item.code end as code,
        case when item.decision = 'review' then item.code end as proposed_code,
        item.reference_version,
        item.matcher_version,
        item.coded_at,
        item.decided_by,
        assigned.national_name,
        assigned.class_path[-1].code as class_code,
        assigned.class_names as class_path,
        assigned.is_high_value,
        assigned.high_value_by,
        assigned.antibiotic_grade,
        assigned.control,
        assigned.is_essential,
        assigned.is_central,
        assigned.pieces,
        assigned.piece,
        assigned.amount,
        assigned.amount_unit,
        assigned.ddd,
        assigned.price_per_piece,
        assigned.price_per_amount,
        assigned.amount_basis,
        assigned.price_per_ddd,
        assigned.unit_reason,
        assigned.amount_reason,
        assigned.ddd_reason
    from item
    left join assigned
        on
            item.source_id = assigned.source_id
            and item.kind = assigned.kind
            and item.medins_list_codg is not distinct from assigned.medins_list_codg
            and item.medins_list_name = assigned.medins_list_name
    left join currency
        on item.source_id = currency.source_id
)

select * from final
