{#
Built batch by batch, so that a new month costs a month; lines of a batch that raw no longer holds, or holds otherwise,
leave first. After a change of seeds or of this model, build with a full refresh.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ drop_changed_batches('count(*)') }}"
) }}

with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
    {% if is_incremental() %}
        where batch_id not in (select known.batch_id from {{ this }} as known)
    {% endif %}
),

final as (
    select
        fee_line.stay_id,
        fee_line.feedetl_sn,
        fee_line.source_id,
        fee_line.batch_id,
        fee_line.mdtrt_id,
        fee_line.fee_ocur_time,
        fee_line.charge_month,
        fee_line.med_list_codg,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        fee_line.med_chrgitm_type,
        fee_line.charge_group,
        fee_line.chrgitm_lv,
        fee_line.cnt,
        fee_line.pric,
        fee_line.det_item_fee_sumamt,
        fee_line.currency,
        fee_line.selfpay_prop,
        fee_line.bilg_dept_name
    from fee_line
)

select * from final
