with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
),

charged as (
    select
        fee_line.stay_id,
        count(*) as fee_line_count,
        sum(fee_line.det_item_fee_sumamt) as fee_line_amount,
        coalesce(sum(fee_line.det_item_fee_sumamt) filter (where fee_line.charge_group = 'drug'), 0) as drug_amount,
        coalesce(
            sum(fee_line.det_item_fee_sumamt) filter (where fee_line.charge_group = 'consumable'), 0
        ) as consumable_amount
    from fee_line
    group by fee_line.stay_id
)

select * from charged
