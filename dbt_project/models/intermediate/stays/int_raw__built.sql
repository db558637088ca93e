{#
Last of all nodes: what this build has seen counts as built only when every mart stands and every test of it has passed.
A build that found nothing to look at has seen nothing new.
#}
{{ config(materialized='table') }}

-- depends_on: {{ ref('dim_hospital') }}
-- depends_on: {{ ref('dim_item') }}
-- depends_on: {{ ref('fct_stay') }}
-- depends_on: {{ ref('fct_fee_line') }}
-- depends_on: {{ ref('fct_settlement') }}
-- depends_on: {{ ref('fct_item_use') }}
-- depends_on: {{ ref('fct_finding') }}
-- depends_on: {{ ref('ind_disease_spectrum') }}
-- depends_on: {{ ref('ind_spectrum_rank') }}
-- depends_on: {{ ref('ind_drug_use') }}
-- depends_on: {{ ref('ind_consumable_use') }}
-- depends_on: {{ ref('ind_item_price') }}
-- depends_on: {{ ref('ind_coding_quality') }}
-- depends_on: {{ ref('feat_stay_cost') }}
-- depends_on: {{ ref('view_front_page') }}
-- depends_on: {{ ref('view_fee_line') }}
-- depends_on: {{ ref('fct_special_use') }}
-- depends_on: {{ ref('fct_readmission') }}
-- depends_on: {{ ref('ind_hospital_month') }}
-- depends_on: {{ ref('ind_special_drug') }}
-- depends_on: {{ ref('ind_high_value') }}
-- depends_on: {{ ref('ind_payer_mix') }}
-- depends_on: {{ ref('ind_formulary_coverage') }}
-- depends_on: {{ ref('ind_drug_share') }}
-- depends_on: {{ ref('ind_consumable_share') }}
-- depends_on: {{ ref('ind_average_stay') }}
-- depends_on: {{ ref('ind_average_cost') }}
-- depends_on: {{ ref('ind_fund_share') }}
-- depends_on: {{ ref('ind_selfpay_share') }}
-- depends_on: {{ ref('ind_readmission') }}
-- depends_on: {{ ref('ind_antibiotic_rate') }}
-- depends_on: {{ ref('ind_antibiotic_intensity') }}
-- depends_on: {{ ref('ind_high_value_price') }}
-- depends_on: {{ ref('ind_formulary_drug') }}

with

touched as (
    select * from {{ ref('int_stays__touched') }}
),

built as (
    select coalesce(max(touched.snapshot_id), {{ built_snapshot() }}) as snapshot_id
    from touched
)

select * from built
