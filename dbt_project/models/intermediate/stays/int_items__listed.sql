with

drug as (
    select * from {{ ref('stg_claims__drug') }}
),

consumable as (
    select * from {{ ref('stg_claims__consumable') }}
),

listed as (
    select
        drug.source_id,
        'drug' as charge_group,
        drug.medins_list_codg,
        drug.medins_list_name,
        drug.spec,
        drug.prodentp_name
    from drug
    union all
    select
        consumable.source_id,
        'consumable' as charge_group,
        consumable.medins_list_codg,
        consumable.medins_list_name,
        consumable.spec,
        consumable.prodentp_name
    from consumable
)

select * from listed
