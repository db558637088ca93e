with

front_page as (
    select front_page.*
    from {{ ref('stg_claims__front_page') }} as front_page
    semi join {{ ref('int_stays__touched') }} as touched
        on front_page.source_id = touched.source_id and front_page.mdtrt_id = touched.mdtrt_id
),

operation as (
    select operation.*
    from {{ ref('stg_claims__operation') }} as operation
    semi join {{ ref('int_stays__touched') }} as touched
        on operation.source_id = touched.source_id and operation.mdtrt_id = touched.mdtrt_id
),

named as (
    select
        front_page.stay_id,
        front_page.main_oprn_code as oprn_code
    from front_page
    union all
    select
        operation.stay_id,
        operation.oprn_oprt_code as oprn_code
    from operation
),

-- The main operation stands on the front page and usually again in the list: each code counts once.
counted as (
    select
        named.stay_id,
        count(distinct named.oprn_code) as operation_count
    from named
    group by named.stay_id
)

select * from counted
