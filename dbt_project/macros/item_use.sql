{#
Who used which items of one charge group: valid stays by month of discharge, hospital, discharge department, disease
category and local item. An item whose lines were all taken back is of no use to a stay and does not count.
#}
{% macro item_use(charge_group) %}
with

listed as (
    select
        stay.*,
        coalesce(stay.dscg_dept_name, 'unknown') as department
    from {{ ref('fct_stay') }} as stay
    where stay.is_valid and {{ touched('stay.discharge_month', by='month') }}
),

cell as (
    select
        listed.discharge_month,
        listed.hospital_id,
        listed.department,
        listed.diagnosis_system,
        listed.diagnosis_category,
        min(listed.region) as region,
        min(listed.hosp_lv) as hosp_lv,
        min(listed.currency) as currency,
        min(listed.origin) as origin,
        count(*) as cell_stay_count,
        row_number() over () as cell_no
    from listed
    group by all
),

-- Cells and persons have numbers here, because millions of rows are grouped by them.
stay as (
    select
        listed.stay_id,
        cell.cell_no,
        case when listed.psn_no is not null then dense_rank() over (order by listed.psn_no) end as person_no
    from listed
    inner join cell
        on
            listed.discharge_month = cell.discharge_month
            and listed.hospital_id = cell.hospital_id
            and listed.department = cell.department
            and listed.diagnosis_system = cell.diagnosis_system
            and listed.diagnosis_category = cell.diagnosis_category
),

item as (
    select * from {{ ref('fct_item_use') }}
    where charge_group = '{{ charge_group }}' and (quantity <> 0 or amount <> 0)
),

counted as (
    select
        stay.cell_no,
        item.medins_list_codg,
        min(item.medins_list_name) as medins_list_name,
        min(item.med_list_codg) as med_list_codg,
        count(*) as stay_count,
        count(distinct stay.person_no) as patient_count,
        sum(item.quantity) as quantity,
        sum(item.amount) as amount
    from item
    inner join stay
        on item.stay_id = stay.stay_id
    group by all
),

final as (
    select
        cell.discharge_month,
        cell.hospital_id,
        cell.department,
        cell.diagnosis_system,
        cell.diagnosis_category,
        counted.medins_list_codg,
        counted.medins_list_name,
        counted.med_list_codg,
        cell.region,
        cell.hosp_lv,
        cell.currency,
        cell.origin,
        counted.stay_count,
        counted.patient_count,
        counted.quantity,
        counted.amount,
        cell.cell_stay_count,
        counted.stay_count / cell.cell_stay_count as stay_share,
        cast(counted.amount as double) / cast(nullif(sum(counted.amount) over whole_cell, 0) as double) as amount_share
    from counted
    inner join cell
        on counted.cell_no = cell.cell_no
    window whole_cell as (partition by counted.cell_no)
)

select * from final
{% endmacro %}
