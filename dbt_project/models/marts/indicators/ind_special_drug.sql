{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

{{ category_use(
    key='department',
    named=('category', 'category'),
    where="category not in ('formulary', 'central', 'uncoded_drug', 'high_value_drug', 'high_value_consumable')",
    cell=['cast(sum(stay.stay_days) as bigint) as cell_stay_days', 'sum(stay.drug_amount) as cell_drug_amount'],
    used=[
        'cast(sum(use.ddd) as decimal(38, 4)) as ddd',
        'cast(sum(use.undosed_amount) as decimal(38, 2)) as undosed_amount',
    ],
    told=[
        '100 * cast(counted.ddd as double) / cell.cell_stay_days as ddd_per_100_days',
        'cast(counted.amount as double) / cast(nullif(cell.cell_drug_amount, 0) as double) as amount_share',
    ],
) }}
