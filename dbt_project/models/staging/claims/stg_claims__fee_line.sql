with

source as (
    select * from {{ source('raw', 'fee_line') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.mdtrt_id as stay_id,
        source.mdtrt_id,
        source.feedetl_sn,
        source.fee_ocur_time,
        source.med_list_codg,
        source.medins_list_codg,
        source.medins_list_name,
        source.med_chrgitm_type,
        source.chrgitm_lv,
        source.cnt,
        source.pric,
        source.det_item_fee_sumamt,
        source.selfpay_prop,
        source.bilg_dept_name
    from source
)

select * from renamed
