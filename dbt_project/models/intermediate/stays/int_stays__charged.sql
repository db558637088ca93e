with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
),

touched as (
    select * from {{ ref('int_stays__touched') }}
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
    -- The identifier is a column of raw and skips whole files; the stay is made of it and decides.
    where
        fee_line.mdtrt_id in (select touched.mdtrt_id from touched)
        and fee_line.stay_id in (select touched.stay_id from touched)
    group by fee_line.stay_id
)

select * from charged
