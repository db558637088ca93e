{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='valued month') }}
),

item as (
    select * from {{ ref('fct_item_use') }}
    where quantity <> 0 or amount <> 0
),

assigned as (
    select * from {{ ref('stg_claims__assigned_value') }}
    where kind in ('drug', 'consumable')
),

-- An item is in every category that something is known of; most items are in none, and few are in more than two.
sorted as (
    select
        assigned.source_id,
        assigned.kind,
        assigned.medins_list_codg,
        assigned.medins_list_name,
        assigned.valid_from,
        assigned.valid_to,
        cast(assigned.amount as double) / nullif(cast(assigned.ddd as double), 0) as doses,
        unnest(
            [
                case when assigned.antibiotic_grade is not null then 'antibiotic' end,
                'antibiotic_' || assigned.antibiotic_grade,
                assigned.control,
                case when assigned.is_essential and assigned.kind = 'drug' then 'formulary' end,
                case when assigned.is_central then 'central' end,
                case when assigned.is_high_value then 'high_value_' || assigned.kind end,
                case when assigned.code is null and assigned.kind = 'drug' then 'uncoded_drug' end
            ]
        ) as category
    from assigned
),

-- A stay is valued by what held on the first day of its month of discharge.
final as (
    select
        stay.stay_id,
        sorted.category,
        stay.discharge_month,
        count(*) as item_count,
        cast(sum(item.amount) as decimal(38, 2)) as amount,
        cast(
            coalesce(sum(try_cast(cast(item.quantity as double) * sorted.doses as decimal(18, 4))), 0) as decimal(38, 4)
        ) as ddd,
        cast(coalesce(sum(item.amount) filter (where sorted.doses is null), 0) as decimal(38, 2)) as undosed_amount
    from item
    inner join stay
        on item.stay_id = stay.stay_id
    inner join sorted
        on
            item.source_id = sorted.source_id
            and item.charge_group = sorted.kind
            and item.medins_list_codg = sorted.medins_list_codg
            and item.medins_list_name = sorted.medins_list_name
            and stay.discharge_month >= sorted.valid_from
            and (stay.discharge_month < sorted.valid_to or sorted.valid_to is null)
    where sorted.category is not null
    group by stay.stay_id, sorted.category, stay.discharge_month
)

select * from final
