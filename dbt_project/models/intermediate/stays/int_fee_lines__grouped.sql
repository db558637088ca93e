{# Made anew in every build, because it names the batches that the build has to read. #}
{{ config(tags=['named']) }}

with

fee_line as (
    select fee_line.*
    from {{ ref('stg_claims__fee_line') }} as fee_line
    semi join {{ ref('int_stays__touched') }} as touched
        on fee_line.source_id = touched.source_id and fee_line.mdtrt_id = touched.mdtrt_id
    where {{ of_touched_batches('fee_line.batch_id') }}
),

charge_category as (
    select * from {{ ref('charge_category') }}
),

source_currency as (
    select * from {{ ref('int_sources__denominated') }}
),

grouped as (
    select
        fee_line.source_id,
        fee_line.batch_id,
        fee_line.stay_id,
        fee_line.mdtrt_id,
        fee_line.feedetl_sn,
        fee_line.fee_ocur_time,
        fee_line.med_list_codg,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        fee_line.med_chrgitm_type,
        fee_line.chrgitm_lv,
        fee_line.cnt,
        fee_line.pric,
        fee_line.det_item_fee_sumamt,
        fee_line.selfpay_prop,
        fee_line.bilg_dept_name,
        source_currency.currency,
        cast(date_trunc('month', fee_line.fee_ocur_time) as date) as charge_month,
        -- Longer codes are subdivisions of the two-digit category: 0801 is a consumable.
        coalesce(charge_category.charge_group, 'unknown') as charge_group
    from fee_line
    left join charge_category
        on left(fee_line.med_chrgitm_type, 2) = charge_category.charge_category
    left join source_currency
        on fee_line.source_id = source_currency.source_id
)

select * from grouped
