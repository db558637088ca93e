with

source as (
    select * from {{ source('raw', 'front_page') }}
),

renamed as (
    select
        source.source_id,
        source.batch_id,
        source.row_no,
        source.source_id || ':' || source.mdtrt_id as stay_id,
        source.source_id || ':' || source.fixmedins_code as hospital_id,
        source.mdtrt_id,
        source.setl_id,
        source.fixmedins_code,
        source.psn_no,
        source.certno,
        source.gend,
        source.age,
        source.brdy,
        source.insutype,
        source.med_type,
        source.begntime,
        source.endtime,
        source.ipt_days,
        source.dscg_way,
        source.adm_way,
        source.adm_dept_name,
        source.dscg_dept_name,
        source.dscg_maindiag_code,
        source.dscg_maindiag_name,
        source.main_oprn_code,
        source.medfee_sumamt,
        source.fund_pay_sumamt,
        source.psn_selfpay
    from source
)

select * from renamed
