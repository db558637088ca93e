{#
Last of all nodes: what this build has seen counts as built only when every mart stands and every test of it has passed.
#}
{% for mart in [
    'dim_hospital', 'fct_stay', 'fct_fee_line', 'fct_settlement', 'fct_item_use', 'fct_finding', 'ind_disease_spectrum',
    'ind_spectrum_rank', 'ind_drug_use', 'ind_consumable_use', 'feat_stay_cost', 'view_front_page', 'view_fee_line',
] %}
    -- depends_on: {{ ref(mart) }}
{% endfor %}
{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}

with

touched as (
    select * from {{ ref('int_stays__touched') }}
),

built as (
    select
        touched.stay_id,
        touched.discharge_month,
        touched.psn_no,
        touched.signature
    from touched
    where touched.is_current
)

select * from built
