with

part as (
    select * from {{ ref('int_fee_lines__summed') }}
),

charged as (
    select
        part.stay_id,
        cast(sum(part.line_count) as bigint) as fee_line_count,
        sum(part.det_item_fee_sumamt) as fee_line_amount,
        sum(part.drug_amount) as drug_amount,
        sum(part.consumable_amount) as consumable_amount
    from part
    group by part.stay_id
)

select * from charged
