{#
Built batch by batch: a new month costs a month, and a stay whose lines came in several files is the sum of its rows here.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ drop_changed_batches('sum(line_count)') }}"
) }}

with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
    {% if is_incremental() %}
        where batch_id not in (select known.batch_id from {{ this }} as known)
    {% endif %}
),

summed as (
    select
        fee_line.batch_id,
        fee_line.source_id,
        fee_line.stay_id,
        count(*) as line_count,
        sum(fee_line.det_item_fee_sumamt) as det_item_fee_sumamt,
        coalesce(sum(fee_line.det_item_fee_sumamt) filter (where fee_line.charge_group = 'drug'), 0) as drug_amount,
        coalesce(
            sum(fee_line.det_item_fee_sumamt) filter (where fee_line.charge_group = 'consumable'), 0
        ) as consumable_amount
    from fee_line
    group by
        fee_line.batch_id,
        fee_line.source_id,
        fee_line.stay_id
)

select * from summed
