{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

{{ category_use(
    key='operation_category',
    named=('kind', "case category when 'high_value_drug' then 'drug' else 'consumable' end"),
    where="category in ('high_value_drug', 'high_value_consumable')",
    cell=['sum(stay.fee_line_amount) as cell_amount'],
    used=['cast(sum(use.item_count) as bigint) as item_count'],
    told=[
        'cast(counted.amount as double) / counted.stay_count as amount_per_stay',
        'cast(counted.amount as double) / cast(nullif(cell.cell_amount, 0) as double) as amount_share',
    ],
) }}
