with

source as (
    select * from {{ source('raw', 'settlement') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.mdtrt_id as stay_id,
        source.source_id || ':' || source.fixmedins_code as hospital_id,
        source.setl_id,
        source.mdtrt_id,
        source.fixmedins_code,
        source.psn_no,
        source.insutype,
        source.med_type,
        source.setl_time,
        source.medfee_sumamt,
        source.fund_pay_sumamt,
        source.psn_selfpay,
        source.refd_setl_flag,
        source.init_setl_id
    from source
)

select * from renamed
