{#
Last of all nodes: what this build has seen counts as built only when every mart stands and every test of it has passed.
#}
{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}

-- depends_on: {{ ref('dim_hospital') }}
-- depends_on: {{ ref('fct_stay') }}
-- depends_on: {{ ref('fct_fee_line') }}
-- depends_on: {{ ref('fct_settlement') }}
-- depends_on: {{ ref('fct_item_use') }}
-- depends_on: {{ ref('fct_finding') }}
-- depends_on: {{ ref('ind_disease_spectrum') }}
-- depends_on: {{ ref('ind_spectrum_rank') }}
-- depends_on: {{ ref('ind_drug_use') }}
-- depends_on: {{ ref('ind_consumable_use') }}
-- depends_on: {{ ref('feat_stay_cost') }}
-- depends_on: {{ ref('view_front_page') }}
-- depends_on: {{ ref('view_fee_line') }}

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
